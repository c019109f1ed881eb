package main

import (
	"strings"
	"testing"
)

const events = `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: no CLI here\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestB"}
`

func TestSkippedTestsAreListedWithTheirReason(t *testing.T) {
	var out strings.Builder
	if !run(strings.NewReader(events+`{"Action":"pass","Package":"p","Elapsed":1.5}`), &out) {
		t.Error("a run without a failure was reported as failed")
	}
	for _, want := range []string{"ok    p  1.5s", "p TestA: a_test.go:1: no CLI here", "1 passed, 0 failed, 1 skipped"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

func TestAFailureIsShownAndReported(t *testing.T) {
	for name, in := range map[string]string{
		"test":    `{"Action":"output","Package":"p","Test":"TestC","Output":"boom\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestC"}`,
		"timeout": `{"Action":"output","Package":"p","Test":"TestD","Output":"boom\n"}` + "\n" + `{"Action":"fail","Package":"p"}`,
		"package": `{"Action":"output","Package":"p","Output":"boom\n"}` + "\n" + `{"Action":"fail","Package":"p"}`,
	} {
		var out strings.Builder
		if run(strings.NewReader(in), &out) || !strings.Contains(out.String(), "boom") || !strings.Contains(out.String(), "1 failed") {
			t.Errorf("%s: a failure was not reported:\n%s", name, out.String())
		}
	}
}
