package dense_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// save keeps what is published. Points are numbered as their labels.
func save(t fataler, x *dense.Index, dir string, applied uint64) {
	t.Helper()
	err := x.Save(dir, func() (dense.Moment, error) {
		s := x.Snapshot()
		return dense.Moment{Snapshot: s, Applied: applied, ID: func(l uint32) point.ID { return point.Num(uint64(l)) }, Done: s.Release}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is loaded, with what changed since made up for, is what was there: whatever was saved when, and however labels
// are given after a restart.
func TestASavedIndexAndTheChangesSinceAreTheIndex(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		d := rapid.SampledFrom(distances).Draw(t, "distance")
		const size = 5
		config := dense.Config{M: 4, EfConstruct: 10, IndexingBytes: 1, DeletedThreshold: rapid.Float64Range(0, 1).Draw(t, "threshold")}
		config.Codes = rapid.SampledFrom([]dense.Codes{
			{}, {Kind: dense.Whole}, {Kind: dense.Scalar, Quantile: 0.99}, {Kind: dense.Binary, Query: quant.QueryScalar8},
		}).Draw(t, "codes")
		o := dense.Options{Size: size, Distance: d, Config: config}
		x := newIndex(t, o)
		want, versions := oracle{}, map[uint32]uint64{} // versions: of vectors, by label
		for now := uint64(1); now < 2+uint64(rapid.IntRange(0, 20).Draw(t, "changes")); now++ {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				save(t, x, dir, now-1)
				continue
			case 1:
				settle(t, x)
				continue
			case 2:
				closeIndex(t, x)
				x = reload(t, o, dir, want, versions)
				continue
			}
			for range rapid.IntRange(1, 40).Draw(t, "vectors") {
				l := rapid.Uint32Range(0, 99).Draw(t, "label")
				if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
					x.Remove(l)
					delete(want, l)
					delete(versions, l)
					continue
				}
				v := drawVector(t, d, size)
				put(t, x, l, v...)
				want[l], versions[l] = v, now
			}
			x.Publish()
		}
		m := moment{x.Snapshot(), want}
		m.check(t, d, size)
		m.Release()
		closeIndex(t, x)
	})
}

// reload opens an index as a shard does.
func reload(t *rapid.T, o dense.Options, dir string, want oracle, versions map[uint32]uint64) *dense.Index {
	x := newIndex(t, o)
	applied, err := x.Load(dir, func(id point.ID, applied uint64) (uint32, bool) {
		v, ok := versions[uint32(id.Number())]
		return uint32(id.Number()), ok && v <= applied
	})
	if err != nil && !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	for l, v := range want {
		if versions[l] > applied {
			put(t, x, l, v...)
		}
	}
	x.Publish()
	return x
}

func TestASavedGraphIsNotBuiltAgain(t *testing.T) {
	for _, codes := range []dense.Codes{{}, {Kind: dense.Product, Compression: 4}} {
		t.Run(fmt.Sprint(codes.Kind), func(t *testing.T) { savedGraph(t, codes) })
	}
}

func savedGraph(t *testing.T, codes dense.Codes) {
	dir, c := t.TempDir(), newCloud(1, 16, 20)
	o := dense.Options{Size: 16, Distance: vec.Cosine, Config: graphConfig}
	o.Config.Codes = codes
	x := newIndex(t, o)
	for l := range uint32(3000) {
		put(t, x, l, c.draw(vec.Cosine)...)
	}
	x.Publish()
	settle(t, x)
	if !x.SaveDue(false) {
		t.Error("nothing was saved yet")
	}
	save(t, x, dir, 1)
	if x.SaveDue(false) || x.SaveDue(true) {
		t.Error("all is saved")
	}
	closeIndex(t, x)
	y := newIndex(t, o)
	defer closeIndex(t, y)
	applied, err := y.Load(dir, func(id point.ID, _ uint64) (uint32, bool) { return uint32(id.Number()), id.Number() >= 100 })
	if err != nil || applied != 1 || y.SaveDue(true) {
		t.Fatal(applied, err)
	}
	if st := y.Status(); st.Vectors != 2900 || st.Indexed != 2900 || st.Busy {
		t.Errorf("%+v", st)
	}
	if r := recall(t, y, c, vec.Cosine, 64, nil); r < 0.97 {
		t.Errorf("recall %v", r)
	}
	for l := range uint32(50) {
		put(t, y, l, c.draw(vec.Cosine)...)
	}
	y.Publish()
	settle(t, y)
	if !y.SaveDue(true) {
		t.Error("what came is not saved")
	}
	save(t, y, dir, 2)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("%v, %v: want state, rows and graph", files, err)
	}
}

// Whatever happens to a file, an index is loaded as it was or not at all.
func TestDamagedFilesAreNotLoaded(t *testing.T) {
	dir, c := t.TempDir(), newCloud(1, 3, 5)
	o := dense.Options{Size: 3, Distance: vec.Dot, Config: graphConfig}
	x := newIndex(t, o)
	want := oracle{}
	for l := range uint32(40) {
		v := c.draw(vec.Dot)
		put(t, x, l, v...)
		want[l] = v
	}
	x.Publish()
	settle(t, x)
	save(t, x, dir, 7)
	closeIndex(t, x)
	load := func() error {
		y := newIndex(t, o)
		defer closeIndex(t, y)
		_, err := y.Load(dir, func(id point.ID, _ uint64) (uint32, bool) { return uint32(id.Number()), true })
		if err != nil && y.Len() != 0 {
			t.Errorf("%d vectors after %v", y.Len(), err)
		}
		return err
	}
	if err := load(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		spoil := func(what string, b []byte) {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := load(); !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.Unsupported) {
				t.Errorf("%s, %s: %v", f.Name(), what, err)
			}
		}
		for i := 0; i < len(whole); i += 1 + len(whole)/200 {
			b := append([]byte(nil), whole...)
			b[i] ^= 0x41
			spoil(fmt.Sprintf("byte %d", i), b)
			spoil(fmt.Sprintf("cut at %d", i), whole[:i])
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := load(); err == nil {
			t.Errorf("loaded without %s", f.Name())
		}
		if err := os.WriteFile(name, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := newIndex(t, dense.Options{Size: 3, Distance: vec.Euclid, Config: graphConfig})
	defer closeIndex(t, other)
	if _, err := other.Load(dir, nil); !fault.Is(err, fault.Corrupt) {
		t.Errorf("another distance: %v", err)
	}
}

// Saving goes on beside searches and changes, and what it keeps is one moment.
func TestAnIndexIsSavedWhileItChanges(t *testing.T) {
	dir, c := t.TempDir(), newCloud(3, 8, 10)
	o := dense.Options{Size: 8, Distance: vec.Euclid, Config: graphConfig}
	x := newIndex(t, o)
	stop, done := make(chan struct{}), make(chan struct{})
	versions := make(chan map[uint32]uint64, 1)
	go func() {
		defer close(done)
		seen := map[uint32]uint64{}
		for now := uint64(1); ; now++ {
			for range 50 {
				l := uint32(c.rnd.IntN(2000))
				if err := x.Put(l, c.draw(vec.Euclid)); err != nil {
					t.Error(err)
				}
				seen[l] = now
			}
			x.Publish()
			select {
			case <-stop:
				versions <- maps.Clone(seen)
				return
			default:
			}
		}
	}()
	for range 10 {
		save(t, x, dir, 0)
	}
	close(stop)
	<-done
	seen := <-versions
	settle(t, x)
	save(t, x, dir, 1)
	y := newIndex(t, o)
	if _, err := y.Load(dir, func(id point.ID, _ uint64) (uint32, bool) { return uint32(id.Number()), true }); err != nil {
		t.Fatal(err)
	}
	if y.Len() != len(seen) || y.Len() != x.Len() {
		t.Errorf("%d vectors, want %d", y.Len(), len(seen))
	}
	a, b := x.Snapshot(), y.Snapshot()
	for range 20 {
		q := dense.Query{Vector: c.draw(vec.Euclid), Limit: 10, Before: ascending, Params: dense.Params{Exact: true}}
		was, err := a.Search(context.Background(), q)
		is, err2 := b.Search(context.Background(), q)
		if err != nil || err2 != nil || fmt.Sprint(was) != fmt.Sprint(is) {
			t.Fatalf("%v, %v; %v, %v", was, err, is, err2)
		}
	}
	a.Release()
	b.Release()
	closeIndex(t, x)
	closeIndex(t, y)
}
