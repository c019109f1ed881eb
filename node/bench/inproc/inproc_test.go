package inproc_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/inproc"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func newSet(t *testing.T) *dataset.Set {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	s := &dataset.Set{Name: "random", Distance: vec.Euclid, Size: 8}
	for range 2000 * s.Size {
		s.Base = append(s.Base, r.Float32())
	}
	for range 50 * s.Size {
		s.Queries = append(s.Queries, r.Float32())
	}
	var err error
	if s.Truth, err = dataset.Truth(context.Background(), s, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// known answers what it was told to, at a known speed.
type known struct {
	set   *dataset.Set
	wrong int // of K answers
	took  time.Duration
}

func (k *known) Name() string { return "known" }
func (k *known) Build(context.Context, int) (inproc.Cost, int64, error) {
	return inproc.Cost{Wall: k.took, CPU: k.took}, 1 << 20, nil
}

func (k *known) Search(_ context.Context, _, n int, out []uint32) (inproc.Cost, error) {
	for q := range k.set.QueryCount() {
		copy(out[q*n:(q+1)*n], k.set.Neighbours(q, n))
		for i := range k.wrong {
			out[q*n+i] = k.set.Neighbours(q, dataset.TruthK)[50]
		}
	}
	return inproc.Cost{Wall: k.took, CPU: k.took}, nil
}

func (k *known) Close() error { return nil }

func TestRatesAndRecallsAreThoseOfTheEngines(t *testing.T) {
	set := newSet(t)
	curves, err := inproc.Searches(context.Background(), set, []inproc.Engine{
		&known{set, 1, time.Second}, &known{set, 3, 2 * time.Second},
	}, []int{10, 20}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []inproc.Point{{Ef: 10, Recall: 0.9, Wall: 50, CPU: 50}, {Ef: 20, Recall: 0.9, Wall: 50, CPU: 50}}
	if !slices.Equal(curves[0].Points, want) || curves[1].Points[0].Recall != 0.7 || curves[1].Points[1].Wall != 25 {
		t.Errorf("%+v", curves)
	}
}

func TestARateIsTakenBetweenTheRecallsAround(t *testing.T) {
	c := inproc.Curve{Points: []inproc.Point{{Recall: 0.9, Wall: 400}, {Recall: 0.94, Wall: 100}, {Recall: 0.94, Wall: 90}}}
	wall := inproc.Clocks()[0].Rate
	for recall, want := range map[float64]float64{0.89: 0, 0.9: 400, 0.92: 200, 0.94: 100, 0.95: 0} {
		if got := c.At(recall, wall); math.Abs(got-want) > 1e-9 {
			t.Errorf("at %v: %v, want %v", recall, got, want)
		}
	}
}

func TestOursFindsTheNeighbours(t *testing.T) {
	set := newSet(t)
	p := inproc.Params{M: 16, EfConstruct: 100}
	for _, e := range []inproc.Engine{
		inproc.NewOurs(set, p), inproc.NewBare("bare", set, p, false), inproc.NewBare("bare on codes", set, p, true),
	} {
		builds, err := inproc.Builds(context.Background(), []inproc.Engine{e}, []int{1, 2}, 1)
		if err != nil || len(builds) != 2 {
			t.Fatal(builds, err)
		}
		curves, err := inproc.Searches(context.Background(), set, []inproc.Engine{e}, []int{10, 200}, 1)
		if err != nil || curves[0].Points[1].Recall < 0.99 || curves[0].Points[0].Recall > curves[0].Points[1].Recall {
			t.Error(curves, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTheReportAndThePlotAreWhole(t *testing.T) {
	set := newSet(t)
	a := inproc.Curve{Engine: "a", Points: []inproc.Point{{10, 0.9, 4000, 4000}, {20, 0.96, 2000, 2000}}}
	b := inproc.Curve{Engine: "b", Points: []inproc.Point{{10, 0.9, 2000, 1000}, {20, 0.96, 1000, 500}}}
	var out bytes.Buffer
	if err := inproc.Report(&out, set, []inproc.Build{{Engine: "a", Threads: 2}}, []inproc.Curve{a, b}, []float64{0.95, 0.99}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a / b  2.00x", "a / b  4.00x", "0.9600", "Euclid"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := inproc.Plot(&out, set, []inproc.Curve{a, b}, inproc.Clocks()[0]); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "<circle"); n != 4 {
		t.Errorf("%d points are drawn", n)
	}
	for d := xml.NewDecoder(&out); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
