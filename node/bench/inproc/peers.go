package inproc

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Peers names the engines that Peer can start.
func Peers() []string { return []string{"hnswlib", "usearch"} }

// Peer starts a peer on a data set. dir is where its package is installed, with npm, if need be; sources is node/bench/peer.
func Peer(ctx context.Context, name, dir, sources string, set *dataset.Set, p Params) (Engine, error) {
	metric := "ip"
	if set.Distance == vec.Euclid {
		metric = "l2"
	}
	args := []string{set.BaseFile, set.QueryFile, strconv.Itoa(set.Size), metric, strconv.Itoa(p.M), strconv.Itoa(p.EfConstruct)}
	results := filepath.Join(dir, name+"."+set.Name+".results")
	switch name {
	case "hnswlib":
		program, err := buildHnswlib(ctx, dir, sources)
		if err != nil {
			return nil, err
		}
		return startProcess(ctx, name, results, program, args...)
	case "usearch":
		script, err := installUsearch(ctx, dir, sources)
		if err != nil {
			return nil, err
		}
		return startProcess(ctx, name, results, "node", append([]string{script}, args...)...)
	}
	return nil, fault.New(fault.Invalid, "unknown peer %q, there are %v", name, Peers())
}

func installed(ctx context.Context, dir, name string) error {
	if _, err := os.Stat(filepath.Join(dir, "node_modules", name)); err == nil {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"private": true}`), 0o600); err != nil {
		return fault.Wrap(fault.Internal, err, "install %s", name)
	}
	if out, err := run(ctx, dir, "npm", "install", "--no-audit", "--no-fund", name); err != nil {
		return fault.Wrap(fault.Unavailable, err, "install the npm package %s: npm says %.300s", name, out)
	}
	return nil
}

func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	return c.CombinedOutput()
}

// buildHnswlib compiles the driver with the headers that the npm package holds, for all that this processor has: as the
// package is installed, it leaves that out.
func buildHnswlib(ctx context.Context, dir, sources string) (string, error) {
	if err := installed(ctx, dir, "hnswlib-node"); err != nil {
		return "", err
	}
	source, err := filepath.Abs(filepath.Join(sources, "hnswlib.cc"))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "find the driver of hnswlib")
	}
	program := filepath.Join(dir, "hnswlib")
	out, err := run(ctx, dir, "c++", "-O3", "-march=native", "-std=c++17", "-pthread",
		"-I", "node_modules/hnswlib-node/src/hnswlib", "-o", program, source)
	return program, fault.Wrap(fault.Unavailable, err, "compile hnswlib (needs c++): %.300s", out)
}

// installUsearch puts the driver where its require finds the package, which holds kernels for all processors and
// chooses at run time.
func installUsearch(ctx context.Context, dir, sources string) (string, error) {
	if err := installed(ctx, dir, "usearch"); err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(sources, "usearch.cjs"))
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "find the driver of usearch")
	}
	to := filepath.Join(dir, "usearch.cjs")
	return to, fault.Wrap(fault.Internal, os.WriteFile(to, script, 0o600), "install the driver of usearch")
}
