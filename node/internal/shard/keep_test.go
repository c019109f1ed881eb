package shard_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disktest"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

var indexed = shard.Schema{Vectors: map[string]shard.VectorSchema{
	"v": {Size: 4, Distance: vec.Euclid, Index: dense.Config{M: 8, EfConstruct: 32, IndexingBytes: 1, DeletedThreshold: 0.2, VacuumMinVectors: 1000}},
}}

func (n *node) open2(t *testing.T, schema shard.Schema) *shard.Shard {
	t.Helper()
	s, err := shard.Open(shard.Options{Store: n.store, Generation: 1, Schema: schema, Dir: n.saved})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func somePoints(from, to uint64) (ps []point.Point) {
	rnd := rand.New(rand.NewPCG(from, to))
	for i := from; i < to; i++ {
		ps = append(ps, point.Point{ID: point.Num(i), Vectors: point.Vectors{"v": {rnd.Float32(), rnd.Float32(), rnd.Float32(), rnd.Float32()}}})
	}
	return ps
}

// same compares a shard's searches through the graph with exact ones.
func same(t *testing.T, s *shard.Shard) {
	t.Helper()
	missed := 0
	for _, p := range somePoints(5000, 5020) {
		req := shard.SearchRequest{Using: "v", Vector: p.Vectors["v"], Limit: 5, HNSWEf: 40}
		near, err := s.Search(ctx, req)
		req.Exact = true
		exact, err2 := s.Search(ctx, req)
		if err != nil || err2 != nil || len(near) != 5 {
			t.Fatal(near, err, err2)
		}
		for i := range exact {
			if !equal(near[i], exact[i]) {
				missed++
			}
		}
	}
	if missed > 5 {
		t.Errorf("%d of 100 are not what is nearest", missed)
	}
}

func TestIndexesAreThereAfterARestart(t *testing.T) {
	n := newNode(t)
	s := n.open2(t, indexed)
	apply(t, s, upsert(somePoints(0, 1500)...))
	if err := s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	closeShard(t, s)

	s = n.open2(t, indexed)
	if x := s.Indexes(); x.Indexed != 1500 || x.Busy {
		t.Fatalf("%+v after a restart", x)
	}
	same(t, s)
	// Changes, then a loss of power: what was not saved comes from the store.
	apply(t, s, upsert(somePoints(1400, 1600)...))
	apply(t, s, point.Delete{Selector: point.Selector{IDs: []point.ID{point.Num(3), point.Num(1500)}}})
	dead := n.crashed()
	want := searchAll(t, s)
	closeShard(t, s)
	c := dead.open2(t, indexed)
	if got := searchAll(t, c); !equal(got, want) {
		t.Errorf("%d hits after a loss of power, %d before", len(got), len(want))
	}
	if x := c.Indexes(); x.Indexed < 1300 {
		t.Errorf("%+v after a loss of power", x)
	}
	same(t, c)
	closeShard(t, c)
}

func searchAll(t *testing.T, s *shard.Shard) []shard.Scored {
	t.Helper()
	hits, err := s.Search(ctx, shard.SearchRequest{Using: "v", Vector: []float32{0, 0, 0, 0}, Limit: 5000, Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func TestDamagedIndexesAreBuiltAgain(t *testing.T) {
	n := newNode(t)
	s := n.open2(t, indexed)
	apply(t, s, upsert(somePoints(0, 800)...))
	if err := s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	want := searchAll(t, s)
	closeShard(t, s)
	files, err := filepath.Glob(filepath.Join(n.saved, "1", "*", "*"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := n.open2(t, indexed)
		if got := searchAll(t, s); !equal(got, want) {
			t.Errorf("%d hits with a damaged %s, want %d", len(got), f, len(want))
		}
		if err := s.Settled(ctx); err != nil {
			t.Fatal(err)
		}
		if x := s.Indexes(); x.Indexed != 800 {
			t.Errorf("%+v", x)
		}
		same(t, s)
		closeShard(t, s)
		if files, err = filepath.Glob(filepath.Join(n.saved, "1", "*", "*")); err != nil || len(files) != 3 {
			t.Fatal(files, err)
		}
	}
	s = n.open2(t, indexed)
	s.SetSchema(shard.Schema{})
	closeShard(t, s)
	if files, err := filepath.Glob(filepath.Join(n.saved, "1", "*")); err != nil || len(files) != 0 {
		t.Errorf("the index of a vector that is gone: %v, %v", files, err)
	}
	if g, err := shard.SavedGenerations(n.saved); err != nil || len(g) != 1 || g[0] != 1 {
		t.Errorf("%v, %v", g, err)
	}
	if err := shard.RemoveSaved(n.saved, 1); err != nil {
		t.Fatal(err)
	}
	if g, err := shard.SavedGenerations(n.saved); err != nil || len(g) != 0 {
		t.Errorf("%v, %v", g, err)
	}
}

// A vector that goes while another is saved, before its own turn, is not saved.
func TestAVectorThatIsGoneIsNotSaved(t *testing.T) {
	n := newNode(t)
	s := n.open2(t, indexed)
	defer closeShard(t, s)
	apply(t, s, upsert(somePoints(0, 1500)...))
	if err := s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	save := s.Saving("v")
	s.SetSchema(shard.Schema{})
	if due, err := save(); due || !fault.Is(err, fault.Unavailable) {
		t.Errorf("due: %v; saved: %v", due, err)
	}
}

func TestNoIndexIsSavedOnAFullDisk(t *testing.T) {
	fs := &disktest.Sized{FS: vfs.NewMem()}
	warden, err := disk.OpenWarden(disk.WardenOptions{FS: fs, Dir: "disk", Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, disk: vfs.NewCrashableMem(), saved: t.TempDir(), guard: warden}
	n.open()
	t.Cleanup(func() { n.store.Close(); warden.Close() })
	save := func(free uint64, want int) {
		fs.Free.Store(free)
		warden.Look()
		s := n.open2(t, indexed)
		apply(t, s, upsert(somePoints(0, 800)...))
		if err := s.Settled(ctx); err != nil {
			t.Fatal(err)
		}
		closeShard(t, s)
		files, err := filepath.Glob(filepath.Join(n.saved, "1", "*", "*"))
		if err != nil || len(files) != want {
			t.Errorf("with %s free: %v, %v", disk.Size(free), files, err)
		}
	}
	save(1<<20, 0)
	save(1<<29, 3)
}

// A schema that cannot be followed, because a point is damaged, leaves nothing behind: a node may learn of many while its shard has failed.
func TestASchemaThatCannotBeFollowedLeavesNothing(t *testing.T) {
	n := newNode(t)
	s := n.open2(t, indexed)
	defer closeShard(t, s)
	apply(t, s, upsert(somePoints(0, 20)...))
	b := &kv.Batch{}
	b.PutVectors(1, point.Num(1<<40), 8, []byte{1, 0xff}, kv.Refs{})
	if err := n.store.Commit(ctx, b); err != nil {
		t.Fatal(err)
	}
	more := shard.Schema{Vectors: maps.Clone(indexed.Vectors)}
	more.Vectors["w"] = shard.VectorSchema{Size: 4, Distance: vec.Dot, Index: dense.Config{OnDisk: true}}
	for range 3 {
		s.SetSchema(more)
	}
	if _, err := s.Count(ctx, shard.CountRequest{}); !fault.Is(err, fault.Corrupt) {
		t.Errorf("the shard has not failed: %v", err)
	}
	if live, err := filepath.Glob(filepath.Join(n.saved, "1", "*", "live-*")); err != nil || len(live) != 0 {
		t.Errorf("%v, %v", live, err)
	}
}
