package provider_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Every module passes its own tests, with a mocked provider and on a real cluster.
func TestAccModules(t *testing.T) {
	if os.Getenv("TF_ACC") == "" {
		t.Skip("an acceptance test: set TF_ACC=1 to run it")
	}
	cli := os.Getenv("TF_ACC_TERRAFORM_PATH")
	if cli == "" {
		t.Skip("set TF_ACC_TERRAFORM_PATH")
	}
	startCluster(t) // and says in the environment where its nodes are
	env := cliEnvironment(t)
	modules, err := filepath.Glob("../examples/modules/*/main.tf")
	if err != nil || len(modules) == 0 {
		t.Fatalf("no modules: %v", err)
	}
	for _, main := range modules {
		module := filepath.Dir(main)
		t.Run(filepath.Base(module), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "module")
			if err := os.CopyFS(dir, os.DirFS(module)); err != nil {
				t.Fatal(err)
			}
			runCLI(t, cli, dir, env, "init", "-input=false", "-no-color")
			tests, err := filepath.Glob(filepath.Join(dir, "tests", "*.tftest.hcl"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range tests {
				name := filepath.Base(file)
				t.Run(strings.TrimSuffix(name, ".tftest.hcl"), func(t *testing.T) {
					runCLI(t, cli, dir, env, "test", "-no-color", "-filter="+filepath.Join("tests", name))
				})
			}
		})
	}
}

// cliEnvironment builds the provider and lets the command line find it without a network.
func cliEnvironment(t *testing.T) []string {
	t.Helper()
	mirror := t.TempDir()
	binary := filepath.Join(mirror, "provider")
	build := exec.Command("go", "build", "-o", binary, "./cmd/terraform-provider-ostraka")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		dir := filepath.Join(mirror, host, "ostraka", "ostraka", "0.1.0", runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(binary, filepath.Join(dir, "terraform-provider-ostraka_v0.1.0")); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(mirror, "cli.tfrc")
	text := "provider_installation {\n  filesystem_mirror {\n    path = \"" + mirror + "\"\n  }\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(), "TF_CLI_CONFIG_FILE="+config, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
}

func runCLI(t *testing.T, cli, dir string, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command(cli, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, time.Minute
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if args[0] == "test" && !strings.Contains(string(out), " passed, 0 failed") {
		t.Fatalf("%s passed nothing:\n%s", strings.Join(args, " "), out)
	}
}
