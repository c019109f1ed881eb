package shard_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a store that tests share: each shard has a generation of its own.
type node struct {
	t     *testing.T
	disk  *vfs.MemFS
	saved string // where indexes are kept
	store *kv.Store
	guard *disk.Warden // nil: nobody watches the disk
	next  atomic.Uint64
}

func newNode(t *testing.T) *node {
	n := &node{t: t, disk: vfs.NewCrashableMem(), saved: t.TempDir()}
	n.open()
	t.Cleanup(func() { n.store.Close() })
	return n
}

func (n *node) open() {
	n.t.Helper()
	s, err := kv.Open(kv.Options{Dir: "store", FS: n.disk, Warden: n.guard})
	if err != nil {
		n.t.Fatal(err)
	}
	n.store = s
}

// crashed is the node as a loss of power leaves it: what was synced, and nothing else.
func (n *node) crashed() *node {
	n.t.Helper()
	c := &node{t: n.t, disk: n.disk.CrashClone(vfs.CrashCloneCfg{}), saved: n.t.TempDir()}
	if err := os.CopyFS(c.saved, os.DirFS(n.saved)); err != nil {
		n.t.Fatal(err)
	}
	c.open()
	n.t.Cleanup(func() { c.store.Close() })
	return c
}

type fataler interface {
	Helper()
	Cleanup(func())
	Fatal(...any)
	Fatalf(string, ...any)
}

func (n *node) shard(t fataler, generation uint64) *shard.Shard {
	t.Helper()
	return n.indexed(t, generation, nil)
}

// indexed opens a shard with payload indexes, and closes it at the end of the test or of the case, however that ends.
func (n *node) indexed(t fataler, generation uint64, fields payload.Schema) *shard.Shard {
	t.Helper()
	s, err := shard.Open(shard.Options{Store: n.store, Generation: generation, Schema: with(fields), Dir: n.saved})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.KeepFewLabels()
	return s
}

func closeShard(t fataler, s *shard.Shard) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func (s source) entries(after uint64, max int) []shard.Entry {
	es := make([]shard.Entry, 1+s.n(max-1))
	for i := range es {
		es[i] = shard.Entry{Index: after + 1 + uint64(i), Op: recoded(s.formed(s.op()))}
	}
	return es
}

func classes(errs []error) []fault.Class {
	out := make([]fault.Class, len(errs))
	for i, err := range errs {
		if err != nil {
			out[i] = 1 + fault.ClassOf(err)
		}
	}
	return out
}

// applyBoth applies entries to a shard and to its oracle, whose errors must be of the same classes.
func applyBoth(t *rapid.T, s *shard.Shard, o *oracle, es []shard.Entry) {
	want := make([]error, len(es))
	for i, e := range es {
		want[i] = o.apply(e.Index, e.Op)
	}
	got, err := s.Apply(context.Background(), es)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(classes(got), classes(want)) {
		t.Fatalf("errors %v, want %v", got, want)
	}
}

// check asks both everything.
func check(t *rapid.T, s *shard.Shard, o *oracle) {
	src, ctx := source{t}, context.Background()
	points, vectors := o.info()
	if info := s.Info(); info.Points != points || info.Vectors != vectors {
		t.Fatalf("info %+v, want %d points, %d vectors", info, points, vectors)
	}
	if s.Applied() != o.applied {
		t.Fatalf("applied %d, want %d", s.Applied(), o.applied)
	}
	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !equal(got, want) {
			t.Fatalf("%s:\n got %+v, %v\nwant %+v", what, got, err, want)
		}
	}
	all := shard.ScrollRequest{Limit: 1000, Payload: shard.PayloadSelector{Enable: true}, Vectors: shard.VectorSelector{Enable: true}}
	got, err := s.Scroll(ctx, all)
	same("everything", got, o.scroll(all), err)

	scroll := shard.ScrollRequest{Filter: src.filter(), Limit: uint64(1 + src.n(20)), Payload: src.payloadSelector(), Vectors: src.vectorSelector()}
	if src.oneIn(2) {
		from := src.id()
		scroll.From = &from
	}
	got, err = s.Scroll(ctx, scroll)
	same("scroll", got, o.scroll(scroll), err)

	get := shard.GetRequest{IDs: src.ids(6), Payload: src.payloadSelector(), Vectors: src.vectorSelector()}
	got, err = s.Get(ctx, get)
	same("get", got, o.get(get), err)

	using := "s"
	facets, err := s.Facet(ctx, shard.FacetRequest{Sparse: &using, Indices: []uint32{0, 1, 4, 9, 77}})
	same("frequencies", facets, o.frequencies(using, 0, 1, 4, 9, 77), err)

	search := src.search()
	for _, what := range []string{"search", "search again, whose plan is kept", "search with the plan that is kept"} {
		hits, err := s.Search(ctx, search)
		same(what, hits, o.search(search), err)
	}

	f := src.filter()
	n, err := s.Count(ctx, shard.CountRequest{Filter: f})
	same("count", n, o.count(f), err)
}

// equal takes nil and empty for the same.
func equal(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a, b)
}

func TestAnswersAsTheOracleOverAnyOperationsAndRestarts(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		src, o, generation := source{t}, newOracle(), n.next.Add(1)
		fields := src.fields()
		s := n.indexed(t, generation, fields)
		part := rapid.SampledFrom([]int{1, 700, 2000, 1 << 20}).Draw(t, "part")
		for range 1 + src.n(6) {
			s.SetPartBytes(part)
			s.TrustIndexes()
			applyBoth(t, s, o, src.entries(o.applied, 6))
			check(t, s, o)
			if src.oneIn(4) {
				fields = src.fields()
				s.SetSchema(with(fields))
				check(t, s, o)
			}
			if src.oneIn(2) {
				s.AwaitBuilds()
				for path, f := range s.Indexes().Fields {
					if _, declared := fields[path]; !declared || !f.Ready || len(s.Indexes().Fields) != len(fields) {
						t.Fatalf("%s: %+v of %v", path, f, fields)
					}
				}
				check(t, s, o)
			}
			if src.oneIn(3) {
				bytes, payloads := s.Info().Bytes, s.Info().PayloadBytes
				closeShard(t, s)
				s = n.indexed(t, generation, fields)
				check(t, s, o)
				if s.Info().Bytes != bytes || s.Info().PayloadBytes != payloads || payloads > bytes {
					t.Fatalf("%d bytes, %d of payloads; %d and %d before the restart", s.Info().Bytes, s.Info().PayloadBytes, bytes, payloads)
				}
			}
		}
		closeShard(t, s)
	})
}

// Neither does a search wait for what is applied meanwhile, nor the other way round, nor does it see any of it.
func TestASearchAnswersAsOfItsBeginningWhateverIsAppliedMeanwhile(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		src, o := source{t}, newOracle()
		s := n.indexed(t, n.next.Add(1), src.fields())
		type held struct {
			finish func() ([]shard.Scored, error)
			want   []shard.Scored
		}
		var open []held
		defer func() { // a draw that needs too much ends the case
			for _, h := range open {
				_, _ = h.finish()
			}
		}()
		answer := func(h held) {
			hits, err := h.finish()
			if err != nil || !equal(hits, h.want) {
				t.Errorf("got %+v, %v\nwant %+v", hits, err, h.want)
			}
		}
		for range 2 + src.n(8) {
			applyBoth(t, s, o, src.entries(o.applied, 4))
			req := src.search()
			for range 1 + src.n(2) { // a plan is kept of the second on
				finish, err := s.BeginSearch(req)
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, held{finish, o.search(req)})
			}
			if i := src.n(2); i < len(open) {
				answer(open[i])
				open = slices.Delete(open, i, i+1)
			}
		}
		for _, h := range open {
			answer(h)
		}
		open = nil
		closeShard(t, s)
	})
}

func TestCrashBetweenAnyTwoPartsIsMendedByRedoing(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		src, o, generation := source{t}, newOracle(), n.next.Add(1)
		s := n.indexed(t, generation, src.fields())
		s.TrustIndexes()
		before := src.entries(0, 8)
		applyBoth(t, s, o, before)

		es := src.entries(o.applied, 6)
		s.SetPartBytes(rapid.SampledFrom([]int{1, 500, 1 << 20}).Draw(t, "part"))
		left, power := src.n(12), errors.New("power cut")
		s.SetCommit(func(b *kv.Batch) error {
			if left--; left < 0 {
				return power
			}
			return n.store.Commit(context.Background(), b)
		})
		if _, err := s.Apply(context.Background(), es); err != nil {
			if !errors.Is(err, power) {
				t.Fatal(err)
			}
			if _, err := s.Count(context.Background(), shard.CountRequest{}); !errors.Is(err, power) {
				t.Fatalf("a failed shard answers: %v", err)
			}
		}
		closeShard(t, s)

		s = n.indexed(t, generation, src.fields())
		if src.oneIn(2) {
			s.AwaitBuilds()
		}
		done := s.Applied() - o.applied
		_, err := s.Count(context.Background(), shard.CountRequest{})
		if err != nil && !fault.Is(err, fault.Unavailable) {
			t.Fatal(err)
		}
		for _, e := range es[:done] {
			_ = o.apply(e.Index, e.Op)
		}
		if err == nil { // no operation was cut
			check(t, s, o)
		}
		applyBoth(t, s, o, es[done:])
		if done < uint64(len(es)) || err == nil {
			check(t, s, o)
		}
		closeShard(t, s)
	})
}

func TestDigestDoesNotDependOnHowEntriesAreGrouped(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		src := source{t}
		es := src.entries(0, 20)
		var digests []uint64
		for range 3 {
			s := n.indexed(t, n.next.Add(1), src.fields())
			s.TrustIndexes()
			s.SetPartBytes(rapid.SampledFrom([]int{1, 500, 1 << 20}).Draw(t, "part"))
			for rest := es; len(rest) > 0; {
				k := 1 + src.n(len(rest)-1)
				if _, err := s.Apply(context.Background(), rest[:k]); err != nil {
					t.Fatal(err)
				}
				rest = rest[k:]
			}
			d, err := s.Digest(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			digests = append(digests, d)
			closeShard(t, s)
		}
		if digests[0] != digests[1] || digests[0] != digests[2] {
			t.Fatalf("digests %v", digests)
		}
	})
}

func TestDigestSeesEveryDifference(t *testing.T) {
	n := newNode(t)
	base := point.Point{ID: point.Num(1), Vectors: point.Vectors{"d": {1}}, Payload: point.Payload{"a": int64(1)}}
	digest := func(index uint64, p point.Point) uint64 {
		s := n.shard(t, n.next.Add(1))
		defer closeShard(t, s)
		var es []shard.Entry
		for i := uint64(1); i < index; i++ {
			es = append(es, shard.Entry{Index: i})
		}
		es = append(es, shard.Entry{Index: index, Op: point.Upsert{Points: []point.Point{p}}})
		if _, err := s.Apply(context.Background(), es); err != nil {
			t.Fatal(err)
		}
		d, err := s.Digest(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	seen := map[uint64]string{digest(1, base): "base"}
	for name, d := range map[string]uint64{
		"version":    digest(2, base),
		"id":         digest(1, point.Point{ID: point.Num(2), Vectors: base.Vectors, Payload: base.Payload}),
		"vector":     digest(1, point.Point{ID: base.ID, Vectors: point.Vectors{"d": {2}}, Payload: base.Payload}),
		"payload":    digest(1, point.Point{ID: base.ID, Vectors: base.Vectors, Payload: point.Payload{"a": 1.0}}),
		"no vectors": digest(1, point.Point{ID: base.ID, Payload: base.Payload}),
	} {
		if other, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
}
