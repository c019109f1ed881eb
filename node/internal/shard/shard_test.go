package shard_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

var ctx = context.Background()

func newShard(t *testing.T) (*shard.Shard, *node) {
	t.Helper()
	n := newNode(t)
	s := n.shard(t, 1)
	t.Cleanup(func() { s.Close() })
	return s, n
}

// apply applies operations and returns their errors.
func apply(t *testing.T, s *shard.Shard, ops ...point.Op) []error {
	t.Helper()
	var es []shard.Entry
	for i, op := range ops {
		es = append(es, shard.Entry{Index: s.Applied() + 1 + uint64(i), Op: op})
	}
	errs, err := s.Apply(ctx, es)
	if err != nil {
		t.Fatal(err)
	}
	return errs
}

func upsert(ps ...point.Point) point.Upsert { return point.Upsert{Points: ps} }

func TestOperationsThatAreWrongFailAloneAndTheIndexMovesOn(t *testing.T) {
	s, _ := newShard(t)
	one := point.Num(1)
	nan := float32(math.NaN())
	cases := []struct {
		op   point.Op
		want string
	}{
		{upsert(point.Point{ID: one, Vectors: point.Vectors{"": {1, 2, 3}}}), ""},
		{upsert(point.Point{ID: point.Num(2)}, point.Point{ID: one, Vectors: point.Vectors{"d": {nan}}}), "must be finite"},
		{upsert(point.Point{ID: one, Sparse: point.SparseVectors{"s": {Indices: []uint32{1}, Values: []float32{nan}}}}), "must be finite"},
		{point.UpdateVectors{Points: []point.Point{{ID: one, Vectors: point.Vectors{"e": {1, nan}}}}}, "must be finite"},
		{point.UpdateVectors{Points: []point.Point{{ID: one, Vectors: point.Vectors{"e": {1, 1}}}, {ID: point.Num(9)}}}, "No point with id 9 found"},
		{point.Delete{Selector: point.Selector{Filter: []byte("no filter")}}, ""},
		{point.SetPayload{Selector: point.Selector{IDs: []point.ID{one}}, Key: "a..b"}, "path"},
	}
	for i, c := range cases {
		err := apply(t, s, c.op)[0]
		text := ""
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, c.want) || c.want == "" && err != nil && i != 5 || i == 5 && err == nil {
			t.Errorf("case %d: %v", i, err)
		}
	}
	recs, err := s.Scroll(ctx, shard.ScrollRequest{Limit: 9, Vectors: shard.VectorSelector{Enable: true}})
	if err != nil || len(recs) != 1 || len(recs[0].Vectors) != 1 || recs[0].Version != 1 || s.Applied() != uint64(len(cases)) {
		t.Errorf("%+v, %v, applied %d", recs, err, s.Applied())
	}
}

// Replicas learn at different places of the log which vectors there are. What they store does not depend on that, and what does not fit
// is kept and not shown.
func TestWhatIsStoredDoesNotDependOnTheSchema(t *testing.T) {
	ahead, _ := newShard(t)
	behind, _ := newShard(t)
	behind.SetSchema(shard.Schema{Vectors: map[string]shard.VectorSchema{"d": {Size: 1, Distance: vec.Dot}, "e": {Size: 3, Distance: vec.Dot}}})
	id, all := point.Num(1), shard.VectorSelector{Enable: true}
	e := "e"
	for _, op := range []point.Op{
		upsert(point.Point{ID: id, Vectors: point.Vectors{"": {0.6, 0, 0.8}, "e": {1, 2}}}),
		point.UpdateVectors{Points: []point.Point{{ID: id, Vectors: point.Vectors{"d": {1}}, Sparse: point.SparseVectors{"s": {Indices: []uint32{1}, Values: []float32{1}}}}}},
		upsert(point.Point{ID: point.Num(2), Vectors: point.Vectors{"e": {1, 2}, "nobody": {1}}}),
		point.SetPayload{Selector: point.Selector{Filter: filter.Encode(&filter.Filter{Must: []filter.Condition{{HasVector: &e}}})}, Payload: point.Payload{"a": int64(1)}},
		point.DeleteVectors{Selector: point.Selector{IDs: []point.ID{point.Num(2)}}, Names: []string{"e", "nobody"}},
	} {
		for _, s := range []*shard.Shard{ahead, behind} {
			if err := apply(t, s, op)[0]; err != nil {
				t.Fatalf("%+v: %v", op, err)
			}
		}
		x, err := ahead.Digest(ctx)
		y, err2 := behind.Digest(ctx)
		if err != nil || err2 != nil || x != y {
			t.Fatalf("%+v: digests %x and %x, %v, %v", op, x, y, err, err2)
		}
	}
	recs, err := behind.Get(ctx, shard.GetRequest{IDs: []point.ID{id}, Vectors: all})
	if err != nil || len(recs[0].Vectors) != 1 || len(recs[0].Sparse) != 0 || behind.Info().Vectors != 1 {
		t.Errorf("%+v, %v, %+v", recs, err, behind.Info())
	}
	behind.SetSchema(schema)
	want, _ := ahead.Get(ctx, shard.GetRequest{IDs: []point.ID{id}, Vectors: all})
	recs, err = behind.Get(ctx, shard.GetRequest{IDs: []point.ID{id}, Vectors: all})
	if err != nil || !equal(recs, want) || len(recs[0].Vectors) != 3 || behind.Info() != ahead.Info() {
		t.Errorf("%+v, %v, want %+v; %+v", recs, err, want, behind.Info())
	}
}

func TestCosineVectorsAreReturnedNormalised(t *testing.T) {
	s, _ := newShard(t)
	formed := schema.Formed(point.VectorSet{Dense: point.Vectors{"": {3, 0, 4}}})
	apply(t, s, upsert(point.Point{ID: point.Num(1), Vectors: formed.Dense}))
	recs, err := s.Get(ctx, shard.GetRequest{IDs: []point.ID{point.Num(1)}, Vectors: shard.VectorSelector{Enable: true}})
	if err != nil || fmt.Sprint(recs[0].Vectors[""]) != "[0.6 0 0.8]" {
		t.Fatalf("%+v, %v", recs, err)
	}
	hits, err := s.Search(ctx, shard.SearchRequest{Vector: []float32{30, 0, 40}, Limit: 1})
	if err != nil || len(hits) != 1 || math.Abs(float64(hits[0].Score)-1) > 1e-6 {
		t.Fatalf("%+v, %v", hits, err)
	}
}

func TestReadsThatAskForWhatIsNotThereAreInvalid(t *testing.T) {
	s, _ := newShard(t)
	apply(t, s, upsert(point.Point{ID: point.Num(1)}))
	nobody := shard.VectorSelector{Enable: true, Names: []string{"nobody"}}
	bad := &filter.Filter{Must: []filter.Condition{{}}}
	badPath := shard.PayloadSelector{Enable: true, Include: []string{"a..b"}}
	for name, read := range map[string]func() error{
		"search a name": func() error { _, err := s.Search(ctx, shard.SearchRequest{Using: "x", Limit: 1}); return err },
		"search a size": func() error {
			_, err := s.Search(ctx, shard.SearchRequest{Using: "e", Vector: []float32{1}, Limit: 1})
			return err
		},
		"search a filter": func() error {
			_, err := s.Search(ctx, shard.SearchRequest{Using: "d", Vector: []float32{1}, Filter: bad})
			return err
		},
		"search for vectors": func() error {
			_, err := s.Search(ctx, shard.SearchRequest{Using: "d", Vector: []float32{1}, Limit: 1, Vectors: nobody})
			return err
		},
		"scroll for vectors": func() error { _, err := s.Scroll(ctx, shard.ScrollRequest{Limit: 1, Vectors: nobody}); return err },
		"scroll a filter":    func() error { _, err := s.Scroll(ctx, shard.ScrollRequest{Limit: 1, Filter: bad}); return err },
		"get a path":         func() error { _, err := s.Get(ctx, shard.GetRequest{Payload: badPath}); return err },
		"count a filter":     func() error { _, err := s.Count(ctx, shard.CountRequest{Filter: bad}); return err },
	} {
		want := fault.Invalid
		if strings.Contains(name, "vectors") {
			want = fault.Unavailable // who asks has looked at the catalog: another copy may know the vector
		}
		if err := read(); !fault.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if hits, err := s.Search(ctx, shard.SearchRequest{Using: "d", Vector: []float32{1}, Limit: math.MaxUint64}); err != nil || len(hits) != 0 {
		t.Errorf("huge limit: %+v, %v", hits, err)
	}
}

func TestApplyRefusesGapsAndPassesOverWhatIsApplied(t *testing.T) {
	s, _ := newShard(t)
	e := func(i uint64) shard.Entry {
		return shard.Entry{Index: i, Op: upsert(point.Point{ID: point.Num(i)})}
	}
	if _, err := s.Apply(ctx, []shard.Entry{e(1), e(3)}); !fault.Is(err, fault.Internal) || s.Applied() != 1 {
		t.Errorf("gap: %v, applied %d", err, s.Applied())
	}
	if _, err := s.Apply(ctx, []shard.Entry{e(1), e(2)}); err != nil || s.Applied() != 2 {
		t.Errorf("again: %v, applied %d", err, s.Applied())
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Apply(done, []shard.Entry{e(3)}); !errors.Is(err, context.Canceled) || s.Applied() != 2 {
		t.Errorf("cancelled: %v, applied %d", err, s.Applied())
	}
	if recs, err := s.Scroll(ctx, shard.ScrollRequest{Limit: 9}); err != nil || len(recs) != 2 || recs[0].Version != 1 {
		t.Errorf("%+v, %v", recs, err)
	}
}

// Each operation gives all points the same new value, in many parts; nobody may see two values at once.
func TestReadersNeverSeeHalfOfAnOperation(t *testing.T) {
	s, _ := newShard(t)
	s.SetPartBytes(2000)
	const points, rounds = 60, 25
	op := func(k int64) point.Op {
		if k%2 == 0 {
			return point.SetPayload{Payload: point.Payload{"k": k}} // all points
		}
		ps := make([]point.Point, points)
		for i := range ps {
			ps[i] = point.Point{ID: point.Num(uint64(i)), Vectors: point.Vectors{"d": {float32(k)}}, Payload: point.Payload{"k": k}}
		}
		return point.Upsert{Points: ps}
	}
	apply(t, s, op(1))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	reader := func(read func() ([]point.Record, error)) {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				recs, err := read()
				if err != nil || len(recs) != points {
					t.Errorf("%d records, %v", len(recs), err)
					return
				}
				for _, r := range recs {
					k := r.Payload["k"].(int64)
					odd := k - 1 + k%2
					if k != recs[0].Payload["k"] || r.Version != uint64(k) || r.Vectors["d"][0] != float32(odd) {
						t.Errorf("point %s: %+v beside %+v", r.ID, r, recs[0])
						return
					}
				}
			}
		})
	}
	pay, vecs := shard.PayloadSelector{Enable: true}, shard.VectorSelector{Enable: true}
	reader(func() ([]point.Record, error) {
		return s.Scroll(ctx, shard.ScrollRequest{Limit: 1000, Payload: pay, Vectors: vecs})
	})
	reader(func() ([]point.Record, error) {
		hits, err := s.Search(ctx, shard.SearchRequest{Using: "d", Vector: []float32{1}, Limit: 1000, Payload: pay, Vectors: vecs})
		var recs []point.Record
		for _, h := range hits {
			if h.Score != h.Vectors["d"][0] {
				return nil, fmt.Errorf("score %v of vector %v", h.Score, h.Vectors["d"])
			}
			recs = append(recs, h.Record)
		}
		return recs, err
	})
	for k := int64(2); k < rounds; k++ {
		apply(t, s, op(k))
	}
	close(stop)
	wg.Wait()
}

func TestAFailedStoreMakesTheShardAnswerNothing(t *testing.T) {
	s, n := newShard(t)
	apply(t, s, upsert(point.Point{ID: point.Num(1)}))
	cause := fault.New(fault.Unavailable, "disk")
	s.SetCommit(func(*kv.Batch) error { return cause })
	if _, err := s.Apply(ctx, []shard.Entry{{Index: 2, Op: upsert(point.Point{ID: point.Num(2)})}}); !errors.Is(err, cause) {
		t.Fatal(err)
	}
	s.SetCommit(func(b *kv.Batch) error { return n.store.Commit(ctx, b) })
	if _, err := s.Apply(ctx, []shard.Entry{{Index: 2}}); !errors.Is(err, cause) {
		t.Errorf("apply: %v", err)
	}
	if _, err := s.Get(ctx, shard.GetRequest{}); !errors.Is(err, cause) {
		t.Errorf("get: %v", err)
	}
	if s.Applied() != 1 {
		t.Errorf("applied %d", s.Applied())
	}
}

func TestClosedShardIsUnavailable(t *testing.T) {
	s, _ := newShard(t)
	closeShard(t, s)
	closeShard(t, s)
	if _, err := s.Count(ctx, shard.CountRequest{}); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	if _, err := s.Apply(ctx, []shard.Entry{{Index: 1}}); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func TestSurvivesTheDeathOfTheProcess(t *testing.T) {
	s, n := newShard(t)
	large := strings.Repeat("x", 3<<20)
	apply(t, s, upsert(point.Point{ID: point.Num(1), Vectors: point.Vectors{"d": {1}}, Payload: point.Payload{"text": large}}))
	apply(t, s, point.SetPayload{Selector: point.Selector{IDs: []point.ID{point.Num(1)}}, Payload: point.Payload{"k": int64(1)}})
	want, err := s.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dead := n.crashed()
	c := dead.shard(t, 1)
	defer closeShard(t, c)
	if got, err := c.Digest(ctx); err != nil || got != want || c.Applied() != 2 {
		t.Errorf("digest %d, %v, applied %d; want %d", got, err, c.Applied(), want)
	}
	apply(t, c, point.Delete{Selector: point.Selector{IDs: []point.ID{point.Num(1)}}})
	if info := c.Info(); info.Points != 0 || info.Vectors != 0 || info.Bytes != 0 || info.PayloadBytes != 0 {
		t.Errorf("%+v", info)
	}
}

func TestSetSchemaAddsAndRemovesVectors(t *testing.T) {
	s, _ := newShard(t)
	p := point.Point{ID: point.Num(1), Vectors: point.Vectors{"d": {5}, "e": {1, 2}}}
	apply(t, s, upsert(p))
	s.SetSchema(shard.Schema{Vectors: map[string]shard.VectorSchema{"d": {Size: 1, Distance: vec.Dot}}})
	all := shard.VectorSelector{Enable: true}
	recs, err := s.Get(ctx, shard.GetRequest{IDs: []point.ID{p.ID}, Vectors: all})
	if err != nil || len(recs[0].Vectors) != 1 || s.Info().Vectors != 1 {
		t.Errorf("%+v, %v, %+v", recs, err, s.Info())
	}
	if _, err := s.Search(ctx, shard.SearchRequest{Using: "e", Vector: []float32{1, 2}, Limit: 1}); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	s.SetSchema(schema)
	hits, err := s.Search(ctx, shard.SearchRequest{Using: "e", Vector: []float32{1, 2}, Limit: 1})
	if err != nil || len(hits) != 1 || hits[0].Score != 0 || s.Info().Vectors != 2 {
		t.Errorf("%+v, %v, %+v", hits, err, s.Info())
	}
}

func TestSearchAmongFewIDsOfManyGivesTheSameAsAmongAll(t *testing.T) {
	s, _ := newShard(t)
	var ps []point.Point
	for i := range uint64(500) {
		ps = append(ps, point.Point{ID: point.Num(i), Vectors: point.Vectors{"e": {float32(i % 7), float32(i % 3)}}})
	}
	apply(t, s, upsert(ps...))
	few := []point.ID{point.Num(3), point.Num(10), point.Num(17), point.Num(400), point.Num(9999), point.Num(3)}
	var labels []filter.Condition
	for _, id := range few {
		labels = append(labels, filter.Condition{HasID: &filter.HasID{IDs: []point.ID{id}}})
	}
	req := shard.SearchRequest{Using: "e", Vector: []float32{3, 0}, Limit: 3, Exclude: []point.ID{point.Num(17)}}
	req.Filter = &filter.Filter{Must: []filter.Condition{{HasID: &filter.HasID{IDs: few}}}}
	fast, err := s.Search(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	req.Filter = &filter.Filter{Should: labels}
	slow, err := s.Search(ctx, req)
	if err != nil || len(fast) != 3 || fmt.Sprint(fast) != fmt.Sprint(slow) {
		t.Errorf("%v, %v; %v", fast, slow, err)
	}
}

func TestSearchAllocatesNothingPerVector(t *testing.T) {
	allocs := func(n uint64) float64 {
		s, _ := newShard(t)
		var ps []point.Point
		for i := range n {
			ps = append(ps, point.Point{ID: point.Num(i), Vectors: point.Vectors{"e": {float32(i % 97), float32(i % 89)}}})
		}
		apply(t, s, upsert(ps...))
		req := shard.SearchRequest{Using: "e", Vector: []float32{3, 0}, Limit: 10}
		least := math.Inf(1) // what the store does in the background is counted as well, now and then
		for range 5 {
			least = min(least, testing.AllocsPerRun(5, func() {
				if _, err := s.Search(ctx, req); err != nil {
					t.Fatal(err)
				}
			}))
		}
		return least
	}
	if few, many := allocs(100), allocs(5000); many > few+20 { // the race detector makes pools forget
		t.Errorf("%v allocations among 100 vectors, %v among 5000", few, many)
	}
}
