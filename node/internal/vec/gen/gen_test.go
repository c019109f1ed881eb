package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheGeneratedFilesAreWhatTheGeneratorWrites(t *testing.T) {
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: run go generate ./node/internal/vec", name)
		}
		if !strings.HasPrefix(string(got), "// Code generated ") {
			t.Errorf("%s does not say that it is generated", name)
		}
	}
	committed, err := filepath.Glob("../*.s")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range committed {
		if _, ok := files[filepath.Base(path)]; !ok {
			t.Errorf("%s is not generated", path)
		}
	}
}

func TestEveryKernelComesForOneRowAndForMore(t *testing.T) {
	files, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if !strings.HasSuffix(name, ".s") {
			continue
		}
		var functions []string
		for line := range strings.Lines(string(content)) {
			if rest, ok := strings.CutPrefix(line, "TEXT ·"); ok {
				functions = append(functions, rest[:strings.Index(rest, "(SB)")])
			}
		}
		kernels := 0
		for _, f := range functions {
			if strings.Contains(f, "x4") || strings.Contains(f, "Many") {
				kernels++
			}
		}
		if want := 2 * kernels; kernels == 0 || len(functions)-want > 2 { // two only ask for memory
			t.Errorf("%s: %d functions, %d of them for more rows: %v", name, len(functions), kernels, slices.Sorted(slices.Values(functions)))
		}
	}
}

func TestWritingPutsTheFilesInTheDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) == 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := write(filepath.Join(dir, "missing")); err == nil {
		t.Error("a directory that is not there was written to")
	}
}
