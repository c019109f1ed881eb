package dense_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// cloud draws vectors about some centres, as real ones lie.
type cloud struct {
	rnd     *rand.Rand
	centres [][]float32
}

func newCloud(seed uint64, size, centres int) *cloud {
	c := &cloud{rnd: rand.New(rand.NewPCG(seed, 7))}
	for range centres {
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(c.rnd.NormFloat64())
		}
		c.centres = append(c.centres, v)
	}
	return c
}

func (c *cloud) draw(d vec.Distance) []float32 {
	v := slices.Clone(c.centres[c.rnd.IntN(len(c.centres))])
	for i := range v {
		v[i] += 0.5 * float32(c.rnd.NormFloat64())
	}
	return d.Stored(v)
}

var graphConfig = dense.Config{
	M: 16, EfConstruct: 100, IndexingBytes: 1, DeletedThreshold: 0.2, VacuumMinVectors: 1000,
}

// recall compares searches with exact ones.
func recall(t testing.TB, x *dense.Index, c *cloud, d vec.Distance, ef int, f *dense.Filter) float64 {
	t.Helper()
	return recallOf(t, x, c, d, dense.Params{Ef: ef}, f)
}

func recallOf(t testing.TB, x *dense.Index, c *cloud, d vec.Distance, p dense.Params, f *dense.Filter) float64 {
	t.Helper()
	s := x.Snapshot()
	defer s.Release()
	found, queries := 0, 100
	if raced {
		queries = 20
	}
	for range queries {
		q := dense.Query{Vector: c.draw(d), Limit: 10, Before: ascending, Filter: f, Params: p}
		near, err := s.Search(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Params.Exact = true
		exact, err := s.Search(context.Background(), q)
		if err != nil || len(near) != len(exact) {
			t.Fatalf("%d hits, %d exact ones, %v", len(near), len(exact), err)
		}
		for _, h := range exact {
			if slices.Contains(near, h) {
				found++
			}
		}
	}
	return float64(found) / float64(10*queries)
}

func TestRecallOfTheGraph(t *testing.T) {
	count, size := uint32(4000), 24
	if raced {
		count = 500
	}
	for _, d := range distances {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			c := newCloud(1, size, 40)
			x := newIndex(t, dense.Options{Size: size, Distance: d, Config: graphConfig})
			defer closeIndex(t, x)
			for l := range count {
				put(t, x, l, c.draw(d)...)
				if l%500 == 0 {
					x.Publish()
				}
			}
			x.Publish()
			settle(t, x)
			if st := x.Status(); st.Indexed != int(count) || st.Vectors != int(count) {
				t.Fatalf("%+v", st)
			}
			if r := recall(t, x, c, d, 100, nil); r < 0.97 {
				t.Errorf("recall %v", r)
			}
			odd := labels{}
			for l := uint32(1); l < count; l += 2 {
				odd[l] = true
			}
			for name, p := range map[string]dense.Params{
				"whole vectors": {IgnoreCodes: true}, "few candidates, oversampled": {Ef: 10, Oversampling: 6},
			} {
				if r := recallOf(t, x, c, d, p, nil); r < 0.97 {
					t.Errorf("recall of a walk on %s: %v", name, r)
				}
			}
			for name, f := range map[string]*dense.Filter{
				"predicate": {Accept: func(l uint32) (bool, error) { return l%2 == 1, nil }},
				"set":       {Lower: odd, Upper: odd, Expected: len(odd)},
				"few":       {Lower: some(count, 20), Upper: some(count, 20), Expected: int(count / 20)},
				"most":      {Lower: some(count, 1), Upper: some(count, 1), Expected: int(count)},
				"a set and a predicate": {
					Upper: some(count, 2), Expected: int(count / 4), Accept: func(l uint32) (bool, error) { return l%4 == 0, nil },
				},
			} {
				if r := recall(t, x, c, d, 100, f); r < 0.97 {
					t.Errorf("recall under a %s: %v", name, r)
				}
			}
			churn(t, x, c, d, count)
		})
	}
}

// some is every so many of all labels.
func some(count, every uint32) labels {
	set := labels{}
	for l := uint32(0); l < count; l += every {
		set[l] = true
	}
	return set
}

// churn replaces half of the vectors by others that lie elsewhere, and removes some: recall stays.
func churn(t *testing.T, x *dense.Index, c *cloud, d vec.Distance, count uint32) {
	t.Helper()
	for l := range count / 2 {
		if l%10 == 0 {
			x.Remove(l)
		} else {
			put(t, x, l, c.draw(d)...)
		}
		if l%100 == 0 {
			x.Publish()
		}
		if l == count/4 {
			if r := recall(t, x, c, d, 100, nil); r < 0.95 {
				t.Errorf("recall on the way: %v", r)
			}
		}
	}
	x.Publish()
	settle(t, x)
	if st := x.Status(); st.Indexed != st.Vectors || st.Vectors != int(count-count/20) {
		t.Errorf("%+v", st)
	}
	if r := recall(t, x, c, d, 100, nil); r < 0.97 {
		t.Errorf("recall after half of the vectors changed: %v", r)
	}
}

func TestTheConfigurationChangesInPlace(t *testing.T) {
	const size = 16
	count := 2000
	if raced {
		count = 300
	}
	c := newCloud(2, size, 20)
	x := newIndex(t, dense.Options{Size: size, Distance: vec.Euclid})
	defer closeIndex(t, x)
	for l := range uint32(count) {
		put(t, x, l, c.draw(vec.Euclid)...)
	}
	x.Publish()
	settle(t, x)
	for _, config := range []dense.Config{
		graphConfig,
		{M: 8, EfConstruct: 50, IndexingBytes: 1},
		{M: 16, EfConstruct: 100, IndexingBytes: 1, Codes: dense.Codes{Kind: dense.Scalar, Quantile: 0.99}},
		{M: 16, EfConstruct: 100, IndexingBytes: 1, Codes: dense.Codes{Kind: dense.Whole}},
		{M: 16, EfConstruct: 100, IndexingBytes: 1, Codes: dense.Codes{Kind: dense.Product, Compression: 8}},
		{M: 16, EfConstruct: 100, IndexingBytes: 1, Codes: dense.Codes{Kind: dense.Binary, Bits: quant.TwoBits}},
		{M: 0, IndexingBytes: 1},
		graphConfig,
	} {
		x.SetConfig(config)
		settle(t, x)
		want := count
		if config.M == 0 {
			want = 0
		}
		if st := x.Status(); st.Indexed != want || st.Vectors != count {
			t.Fatalf("%+v under %+v", st, config)
		}
		floor := 0.97
		if config.Codes.Kind == dense.Binary { // a few bits tell little of vectors of 16 components
			floor = 0.6
		}
		if r := recall(t, x, c, vec.Euclid, 100, nil); r < floor {
			t.Errorf("recall %v under %+v", r, config)
		}
	}
}

// What is declared to be on the disk is in files of the index, for as long as it is declared.
func TestWhatIsOnTheDiskIsInFiles(t *testing.T) {
	const size = 16
	count := 2000
	if raced {
		count = 300
	}
	dir, c := filepath.Join(t.TempDir(), "index"), newCloud(2, size, 20)
	x := newIndex(t, dense.Options{Size: size, Distance: vec.Dot, Dir: dir, Config: graphConfig})
	defer closeIndex(t, x)
	for l := range uint32(count) {
		put(t, x, l, c.draw(vec.Dot)...)
	}
	x.Publish()
	codes := dense.Codes{Kind: dense.Scalar, OnDisk: true}
	for i, want := range []struct {
		vectors, graph bool
		codes          dense.Codes
		files          int
	}{{false, false, codes, 0}, {false, true, codes, 1}, {true, false, dense.Codes{}, 1}, {true, true, codes, 3}, {false, false, codes, 0}} {
		config := graphConfig
		config.OnDisk, config.GraphOnDisk, config.Codes = want.vectors, want.graph, want.codes
		x.SetConfig(config)
		settle(t, x)
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if raced && want.graph {
			want.files-- // its file is not made
		}
		if err != nil || len(files) != want.files {
			t.Errorf("%d: %v, %v: want %d files", i, files, err, want.files)
		}
		if r := recall(t, x, c, vec.Dot, 100, nil); r < 0.97 {
			t.Errorf("%d: recall %v", i, r)
		}
		if want.vectors && want.graph {
			savedOnDisk(t, x, c, dense.Options{Size: size, Distance: vec.Dot, Dir: dir, Config: config}, count)
		}
	}
}

// savedOnDisk saves an index, and loads it into one that is on the disk too.
func savedOnDisk(t *testing.T, x *dense.Index, c *cloud, o dense.Options, count int) {
	t.Helper()
	saved := t.TempDir()
	save(t, x, saved, 1)
	o.Dir += "-again"
	y := newIndex(t, o)
	if _, err := y.Load(saved, func(id point.ID, _ uint64) (uint32, bool) { return uint32(id.Number()), true }); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(o.Dir, "*"))
	if err != nil || len(files) != 3 && !raced || y.Working() || y.Len() != count {
		t.Errorf("%v, %v: want 3 files", files, err)
	}
	if r := recall(t, y, c, vec.Dot, 100, nil); r < 0.97 {
		t.Errorf("recall %v", r)
	}
	closeIndex(t, y)
}

// Who stores is told to wait once too much is not linked, and woken when it is less.
func TestTheTailIsBounded(t *testing.T) {
	const size, bound, step = 256, 4 << 20 / (4 * 256), 512 // rows
	c, pool := newCloud(5, size, 10), dense.NewPool(1)
	x := newIndex(t, dense.Options{Size: size, Distance: vec.Dot, Config: graphConfig, Pool: pool})
	defer closeIndex(t, x)
	next := uint32(0)
	store := func() {
		for range step {
			put(t, x, next, c.draw(vec.Dot)...)
			next++
		}
		x.Publish()
	}
	store()
	settle(t, x)
	if x.Lagging() != nil {
		t.Error("all is linked")
	}
	release := pool.Hold() // so that nothing is linked
	for tail := step; tail <= bound+step; tail += step {
		store()
		if wait := x.Lagging(); (wait != nil) != (tail > bound) {
			t.Fatalf("%d rows are not linked: to wait: %v", tail, wait != nil)
		}
	}
	wait := x.Lagging()
	release()
	<-wait
	settle(t, x)
	if st := x.Status(); x.Lagging() != nil || st.Indexed != int(next) {
		t.Errorf("%+v", st)
	}
}
