package rules_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	module       = "github.com/ostraka/terraform-provider-ostraka"
	maxFileLines = 800
)

// floors is the order of node/internal: a package imports lower floors only.
var floors = [][]string{
	{"best", "fault", "point", "vec", "slot", "config", "disk", "disktest", "event", "token", "mutation"},
	{"catalog", "replication", "kv", "filter", "arena", "overload"},
	{"dense", "quant", "hnsw", "payload", "sparse", "multi", "consensus", "move", "strictmode"},
	{"shard"},
	{"replica"},
	{"peer", "coordinator", "reconcile", "audit", "mover"},
	{"api", "cluster", "ops"},
	{"server"},
}

// sideways are the imports within one floor that are allowed, each with its reason.
var sideways = map[[2]string]string{
	{"slot", "point"}:  "a slot is a hash of a point id",
	{"dense", "quant"}: "an index holds its vectors as codes too",
	{"dense", "hnsw"}:  "an index has a graph of its vectors",
}

// alwaysAllowed may be imported from its own floor: it is the vocabulary of errors.
const alwaysAllowed = "fault"

type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
}

func load(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// place returns the first folder below node/internal of an import path, and its floor.
func place(path string) (name string, floor int, ok bool) {
	rest, found := strings.CutPrefix(path, module+"/node/internal/")
	if !found {
		return "", 0, false
	}
	name, _, _ = strings.Cut(rest, "/")
	for i, names := range floors {
		for _, n := range names {
			if n == name {
				return name, i, true
			}
		}
	}
	return name, -1, true
}

func TestImportsGoDownTheFloors(t *testing.T) {
	for _, p := range load(t) {
		name, floor, ok := place(p.ImportPath)
		if !ok {
			continue
		}
		if floor < 0 {
			t.Errorf("%s stands on no floor: give it one in this test and in docs/design/architecture.md", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			to, toFloor, ok := place(imp)
			if !ok || to == name || to == alwaysAllowed || toFloor < floor || sideways[[2]string{name, to}] != "" {
				continue
			}
			t.Errorf("%s (floor %d) imports %s (floor %d): imports only go down", name, floor, to, toFloor)
		}
	}
}

// lawful tells whether code below from may import path. Tests and examples may start node/devcluster.
func lawful(from, path string) bool {
	in := func(prefix string) bool {
		return path == module+"/"+prefix || strings.HasPrefix(path, module+"/"+prefix+"/")
	}
	switch {
	case strings.HasPrefix(from, "provider"):
		return in("provider") || in("client")
	case strings.HasPrefix(from, "client"):
		return in("client")
	case strings.HasPrefix(from, "node/cmd"):
		return in("node") || in("client")
	case strings.HasPrefix(from, "node"):
		return in("node") || in("client/clusterpb")
	}
	return true
}

func TestLawsBetweenProviderClientAndNode(t *testing.T) {
	for _, p := range load(t) {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module+"/") && !lawful(from, imp) {
				t.Errorf("%s must not import %s", p.ImportPath, imp)
			}
		}
	}
}

// forbidden are packages that have a better one here.
var forbidden = map[string]string{
	"log":                              "use the hclog.Logger that was passed in",
	"log/slog":                         "use the hclog.Logger that was passed in",
	"math/rand":                        "use math/rand/v2",
	"io/ioutil":                        "use io and os",
	"github.com/golang/protobuf/proto": "use google.golang.org/protobuf/proto",
}

func TestNoForbiddenImports(t *testing.T) {
	for _, p := range load(t) {
		for _, imp := range p.Imports {
			if why, bad := forbidden[imp]; bad && !strings.Contains(p.ImportPath, "/provider/cmd/") {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, why)
			}
		}
	}
}

func TestEveryPackageHasExactlyOneDoc(t *testing.T) {
	for _, p := range load(t) {
		var docs []string
		for _, f := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if file.Doc != nil && !strings.HasSuffix(f, ".pb.go") {
				docs = append(docs, f)
			}
		}
		generated := strings.HasSuffix(p.ImportPath, "pb")
		if len(p.GoFiles) > 0 && !generated && len(docs) != 1 {
			t.Errorf("%s has package docs in %v, want exactly one file with one", p.ImportPath, docs)
		}
	}
}

func TestNoFileIsTooLong(t *testing.T) {
	for _, p := range load(t) {
		for _, f := range append(append(p.GoFiles, p.TestGoFiles...), p.XTestGoFiles...) {
			if strings.HasSuffix(f, ".pb.go") {
				continue
			}
			if n := lines(t, filepath.Join(p.Dir, f)); n > maxFileLines {
				t.Errorf("%s/%s has %d lines: split it, the limit is %d", p.ImportPath, f, n, maxFileLines)
			}
		}
	}
}

func lines(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
	}
	return n
}
