package inproc

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		f       Figure
		reached bool
		want    string
	}{
		{Figure{Number: 1, What: "a", Got: 1.5, AtLeast: 1.4}, true, "1. a: 1.5, at least 1.4 is wanted: reached"},
		{Figure{Number: 1, What: "a", Got: 0.7, AtLeast: 1.4}, false, "1. a: 0.7, at least 1.4 is wanted: NOT reached: 0.50 of it"},
		{Figure{Number: 4, What: "b", Got: 2.5, AtMost: 2}, false, "4. b: 2.5, at most 2 is wanted: NOT reached: 1.25 of it"},
		{Figure{Number: 4, What: "b", Got: 2, AtMost: 2}, true, "4. b: 2, at most 2 is wanted: reached"},
		{Figure{Number: 2, What: "c", AtLeast: 3}, false, "2. c: at least 3 is wanted: NOT MEASURED"},
	} {
		if c.f.Reached() != c.reached || c.f.Line() != c.want {
			t.Errorf("%v %q, want %v %q", c.f.Reached(), c.f.Line(), c.reached, c.want)
		}
	}
	file := filepath.Join(t.TempDir(), "figures")
	var out bytes.Buffer
	for range 2 {
		if err := Tell(&out, file, []Figure{{Number: 1, What: "a", Got: 2, AtLeast: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != out.String() || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%q, %v; %q", b, err, out.String())
	}
}

func TestRatio(t *testing.T) {
	wall := func(p Point) float64 { return p.Wall }
	a := &Curve{Points: []Point{{Recall: 0.9, Wall: 400}, {Recall: 1, Wall: 100}}}
	b := &Curve{Points: []Point{{Recall: 0.95, Wall: 100}, {Recall: 1, Wall: 25}}}
	if r, at := Ratio(a, b, 0.9, wall); at != 0.95 || r < 1.99 || r > 2.01 {
		t.Errorf("%v at %v", r, at)
	}
	if r, _ := Ratio(a, &Curve{}, 0.9, wall); r != 0 {
		t.Errorf("%v of nothing", r)
	}
}
