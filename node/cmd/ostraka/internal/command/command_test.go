package command_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func TestVersion(t *testing.T) {
	sh := shell(t, nil)
	sh.expect(sh.run("version"), 0)
	if got := sh.out.String(); got != "ostraka 0.1.0 (abcdef)\n" {
		t.Errorf("got %q", got)
	}
}

func TestHelpOfEveryCommandShowsAnExample(t *testing.T) {
	sh := shell(t, nil)
	for _, name := range []string{"", "serve", "dev", "status", "load", "query", "plan", "peer", "settings", "pause", "resume", "reshard", "rebalance", "operations", "watch", "wait", "cancel"} {
		args := []string{"--help"}
		if name != "" {
			args = []string{name, "--help"}
		}
		sh.expect(sh.run(args...), 0)
		if !strings.Contains(sh.out.String(), "Examples:\n  ostraka "+name) || sh.err.Len() > 0 {
			t.Errorf("%s: help without an example of it:\n%s", name, sh.out.String())
		}
	}
}

func TestWrongUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.hcl")
	if err := os.WriteFile(file, []byte("endpint = [\"a:1\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"stauts"}, `there is no command "stauts": did you mean status?`},
		{[]string{"status", "docs"}, `status takes no argument "docs"`},
		{[]string{"status", "--colour"}, "unknown flag: --colour"},
		{[]string{"status", "-o", "xml"}, `--output "xml": want table or json`},
		{[]string{"status", "--endpoint", "localhost"}, `endpoint "localhost": want HOST:PORT`},
		{[]string{"status", "--endpoint", ""}, "no endpoints"},
		{[]string{"status", "--tls-ca", "ca.pem"}, "give --tls as well"},
		{[]string{"status", "--config", file}, "node.hcl:1: endpint is no key"},
		{[]string{"status", "--config", file + "x"}, "--config: "},
		{[]string{"load", "--collection", "docs"}, "load needs one file"},
		{[]string{"load", "--collection", "docs", "--batch", "0", "-"}, "start at 1"},
		{[]string{"load", "-"}, "--collection: missing"},
		{[]string{"query", "--collection", "docs"}, "one of --id, --where and --vector"},
		{[]string{"query", "--collection", "docs", "--id", "1", "--where", "a=b"}, "one of --id, --where and --vector"},
		{[]string{"query", "--collection", "docs", "--id", "king"}, "want a number"},
		{[]string{"query", "--collection", "docs", "--where", "king"}, "want KEY=VALUE"},
		{[]string{"query", "--collection", "docs", "--id", "1", "--limit", "0"}, "--limit starts at 1"},
		{[]string{"query", "--collection", "docs", "--vector", "/nonexistent"}, "--vector: "},
		{[]string{"query", "--id", "1"}, "--collection: missing"},
		{[]string{"serve"}, "--data-dir: missing"},
		{[]string{"serve", "--data-dir", "x", "--bootstrap", "--join", "a:1"}, "give one of the two"},
		{[]string{"dev", "--nodes", "0"}, "--nodes"},
		{[]string{"dev", "--nodes", "17"}, "17"},
		{[]string{"dev", "--log-level", "loud"}, "--log-level"},
		{[]string{"peer", "lits"}, `there is no command "lits": did you mean list?`},
		{[]string{"peer", "drain"}, "PEER is missing"},
		{[]string{"peer", "drain", "a", "b"}, `"b" is too much`},
		{[]string{"peer", "zone", "a"}, "ZONE is missing"},
		{[]string{"peer", "label"}, "PEER is missing"},
		{[]string{"wait"}, "OPERATION is missing"},
		{[]string{"wait", "x"}, "want its number"},
		{[]string{"cancel", "0"}, "want its number"},
		{[]string{"watch", "--every", "0"}, "at least 1"},
		{[]string{"settings", "--balance", "maybe"}, "want on or off"},
		{[]string{"settings", "--replica-replace-after", "1500ms"}, "whole seconds"},
		{[]string{"settings", "--replica-replace-after", "-5m"}, "whole seconds"},
		{[]string{"settings", "--transfers-per-peer", "many"}, "want a number"},
		{[]string{"settings", "--transfer-rate", "-1"}, "want a number of MiB"},
	} {
		sh := shell(t, serverOf(t, "docs"))
		sh.expect(sh.run(c.args...), 2, c.says)
		if sh.out.Len() > 0 {
			t.Errorf("%v: standard output %q", c.args, sh.out.String())
		}
	}
}

func TestWrongUsageOfPlan(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--collection", "a", "--peer", "b", "--as", "active"}, "one change at a time"},
		{[]string{"--shard-number", "4"}, "give --collection as well"},
		{[]string{"--collection", "a", "--shard-number", "four"}, "want a whole number"},
		{[]string{"--peer", "node-1"}, "give both or none"},
		{[]string{"--peer", "node-1", "--as", "gone"}, "want active, draining, maintenance or removed"},
	} {
		s := serverOf(t, "docs")
		healthy(s)
		sh := shell(t, s)
		sh.expect(sh.run(append([]string{"plan"}, c.args...)...), 2, c.says)
	}
}

func TestSettingsComeFromEnvironmentAndFileToo(t *testing.T) {
	s := serverOf(t, "docs")
	healthy(s)
	file := filepath.Join(t.TempDir(), "node.hcl")
	// data_dir is a key of serve: one file may serve several commands.
	if err := os.WriteFile(file, []byte("endpoint = [\"n1:1\"]\noutput = \"json\"\ndata_dir = \"/x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		environment map[string]string
		args        []string
		json        bool
	}{
		"file":                 {nil, []string{"--config", file}, true},
		"file by environment":  {map[string]string{"OSTRAKA_CONFIG": file}, nil, true},
		"environment":          {map[string]string{"OSTRAKA_ENDPOINT": "n1:1", "OSTRAKA_OUTPUT": "json"}, nil, true},
		"provider's variable":  {map[string]string{"OSTRAKA_ENDPOINTS": "n0:1,n1:1"}, nil, false},
		"flag above all":       {map[string]string{"OSTRAKA_OUTPUT": "table", "OSTRAKA_ENDPOINT": "n0:1"}, []string{"--config", file, "-o", "json", "--endpoint", "n1:1"}, true},
		"environment on files": {map[string]string{"OSTRAKA_OUTPUT": "table"}, []string{"--config", file}, false},
	} {
		sh := shell(t, s)
		sh.endpoints = map[string]*server{"n1:1": s}
		maps.Copy(sh.environment, c.environment)
		sh.expect(sh.run(append([]string{"status"}, c.args...)...), 0)
		if got := strings.HasPrefix(sh.out.String(), "{"); got != c.json {
			t.Errorf("%s: JSON %v, want %v", name, got, c.json)
		}
	}
}

func TestCompletionOffersCollections(t *testing.T) {
	s := serverOf(t, "documents")
	sh := shell(t, s)
	sh.environment["OSTRAKA_API_KEY"] = "secret"
	sh.expect(sh.run("__complete", "query", "--endpoint", "127.0.0.1:6334", "--collection", "doc"), 0)
	if got := strings.Split(sh.out.String(), "\n"); got[0] != "documents" {
		t.Errorf("got %q", got)
	}
	if !slices.Contains(s.mu.keys, "secret") {
		t.Error("the API key was not sent")
	}
	sh.expect(sh.run("__complete", "load", "--collection", "x"), 0)
	if got := sh.out.String(); strings.Contains(got, "documents") {
		t.Errorf("got %q", got)
	}
	for _, name := range []string{"bash", "zsh", "fish", "powershell"} {
		if sh.expect(sh.run("completion", name), 0); sh.out.Len() == 0 {
			t.Errorf("no completion for %s", name)
		}
	}
}

func TestClassesAreTheNodes(t *testing.T) {
	ours := client.Classes()
	for c := fault.Internal; c <= fault.Canceled; c++ {
		if code, ok := ours[client.Class(c.String())]; !ok || code != c.Code() {
			t.Errorf("class %s: code %s, the node's is %s (known: %v)", c, code, c.Code(), ok)
		}
	}
	if len(ours) != int(fault.Canceled)+1 {
		t.Errorf("the client has %d classes, the node %d", len(ours), fault.Canceled+1)
	}
}

func TestDevRunsUntilItIsStopped(t *testing.T) {
	sh := shell(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan int)
	out := &notify{want: "Running until Ctrl-C", seen: make(chan struct{})}
	go func() {
		done <- sh.runWith(ctx, out, "dev", "--nodes", "1", "--base-port", "0", "--data-dir", t.TempDir())
	}()
	select {
	case <-out.seen:
	case code := <-done:
		t.Fatalf("ended with %d: %s", code, sh.err.String())
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d: %s", code, sh.err.String())
	}
}
