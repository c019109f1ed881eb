// Command testreport reads the output of `go test -json` and tells people what matters: a line per package, the
// whole output of what failed, and at the end every test that was skipped and why. It exits with 1 if anything failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

type report struct {
	out                     io.Writer
	output                  map[string][]string // by package and test
	passed, failed, skipped int
	skips                   []string
	failedPackages          int
}

func main() {
	if !run(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// run reports what in says and returns whether all is well.
func run(in io.Reader, out io.Writer) bool {
	r := &report{out: out, output: map[string][]string{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 64<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			r.textf("%s\n", lines.Text())
			continue
		}
		r.add(e)
	}
	return r.finish() && lines.Err() == nil
}

// textf writes; a report that cannot be written has nobody to tell.
func (r *report) textf(format string, args ...any) { _, _ = fmt.Fprintf(r.out, format, args...) }

func (r *report) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "build-output":
		r.textf("%s", e.Output)
	case "pass", "fail", "skip":
		r.end(e, key)
	}
}

func (r *report) end(e event, key string) {
	said := strings.Join(r.output[key], "")
	delete(r.output, key)
	switch {
	case e.Test == "" && e.Action == "fail":
		r.failedPackages++
		r.unended(e.Package)
		r.textf("%sFAIL  %s  %.1fs\n", said, e.Package, e.Elapsed)
	case e.Test == "":
		if e.Action == "pass" {
			r.textf("ok    %s  %.1fs\n", e.Package, e.Elapsed)
		}
	case e.Action == "fail":
		r.failed++
		r.textf("%s", said)
	case e.Action == "skip":
		r.skipped++
		r.skips = append(r.skips, fmt.Sprintf("  %s %s: %s", e.Package, e.Test, reason(said)))
	default:
		r.passed++
	}
}

// unended shows what the tests said that a package died in: they never told how they ended.
func (r *report) unended(pkg string) {
	for key, said := range r.output {
		if strings.HasPrefix(key, pkg+" ") {
			r.textf("%s", strings.Join(said, ""))
			delete(r.output, key)
		}
	}
}

// reason finds what a test said when it skipped itself.
func reason(output string) string {
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}

func (r *report) finish() bool {
	if len(r.skips) > 0 {
		r.textf("\nSkipped, and why:\n%s\n", strings.Join(r.skips, "\n"))
	} else {
		r.textf("\nNothing was skipped.\n")
	}
	failed := max(r.failed, r.failedPackages)
	r.textf("%d passed, %d failed, %d skipped\n", r.passed, failed, r.skipped)
	return failed == 0
}
