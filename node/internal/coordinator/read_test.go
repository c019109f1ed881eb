package coordinator_test

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

func record(id uint64) point.Record { return point.Record{Point: point.Point{ID: point.Num(id)}} }

func numbers(records []point.Record) (ns []uint64) {
	for _, r := range records {
		ns = append(ns, r.ID.Number())
	}
	return ns
}

func TestSearchAsksOneReplicaPerShardOnceForAllQueries(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.search = func(_ context.Context, c call, reqs []shard.SearchRequest) ([][]shard.Scored, error) {
			if len(reqs) != 2 || reqs[0].Limit != 3 || reqs[1].Limit != 1 {
				t.Errorf("shard %d was asked for %+v", c.shard, reqs)
			}
			base := float32(c.shard)
			id := uint64(c.shard) * 10
			return [][]shard.Scored{
				{{Record: record(id), Score: 9 - base}, {Record: record(id + 1), Score: 5 - base}},
				{{Record: record(id), Score: base}},
			}, nil
		}
		got, err := w.c.Search(context.Background(), col, []coordinator.Query{
			{SearchRequest: shard.SearchRequest{Vector: []float32{1, 2}, Limit: 2}, Offset: 1},
			{SearchRequest: shard.SearchRequest{Vector: []float32{1}, Using: "far", Limit: 1}},
		}, one)
		if err != nil {
			t.Fatal(err)
		}
		ids := func(list []shard.Scored) (ns []uint64) {
			for _, s := range list {
				ns = append(ns, s.ID.Number())
			}
			return ns
		}
		if !slices.Equal(ids(got[0]), []uint64{10, 1}) || !slices.Equal(ids(got[1]), []uint64{0}) {
			t.Errorf("got %v and %v", ids(got[0]), ids(got[1]))
		}
		if n := len(w.calls()); n != 2 {
			t.Errorf("%d calls for 2 shards", n)
		}
	}, ids{1, 2}, ids{2, 3})
}

func TestWrongSearchesReachNoShard(t *testing.T) {
	w := newWorld(t, ids{1})
	bad := float32(0)
	bad /= bad
	for text, q := range map[string]coordinator.Query{
		"Vector dimension error: expected dim: 2, got 1": {SearchRequest: shard.SearchRequest{Vector: []float32{1}, Limit: 1}},
		"Not existing vector name error: x":              {SearchRequest: shard.SearchRequest{Vector: []float32{1}, Using: "x", Limit: 1}},
		"limit":                                          {SearchRequest: shard.SearchRequest{Vector: []float32{1, 1}}},
		"NaN":                                            {SearchRequest: shard.SearchRequest{Vector: []float32{1, bad}, Limit: 1}},
		"score_threshold":                                {SearchRequest: shard.SearchRequest{Vector: []float32{1, 1}, Limit: 1, ScoreThreshold: &bad}},
		"Not existing vector name error: y": {SearchRequest: shard.SearchRequest{Vector: []float32{1, 1}, Limit: 1,
			Vectors: shard.VectorSelector{Enable: true, Names: []string{"y"}}}},
	} {
		if _, err := w.c.Search(context.Background(), col, []coordinator.Query{q}, one); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, _, err := w.c.Scroll(context.Background(), col, shard.ScrollRequest{}, one); !fault.Is(err, fault.Invalid) {
		t.Errorf("scroll without limit: %v", err)
	}
	if _, err := w.c.Count(context.Background(), "nope", nil, one); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown collection: %v", err)
	}
	if len(w.calls()) != 0 {
		t.Error("a shard was reached")
	}
}

// Pages of any size together give every point once, in order.
func TestScrollPagesThroughAllShards(t *testing.T) {
	for limit := uint64(1); limit < 12; limit++ {
		w := newWorld(t, ids{1}, ids{2}, ids{3})
		w.scroll = func(_ context.Context, c call, req shard.ScrollRequest) (page []point.Record, _ error) {
			for id := uint64(0); id < 10; id++ {
				r := record(id)
				if slot.Spread(3)[c.shard].Contains(slot.Of(r.ID)) && (req.From == nil || req.From.Compare(r.ID) <= 0) && uint64(len(page)) < req.Limit {
					page = append(page, r)
				}
			}
			return page, nil
		}
		var all []uint64
		req := shard.ScrollRequest{Limit: limit}
		for pages := 0; ; pages++ {
			page, next, err := w.c.Scroll(context.Background(), col, req, one)
			if err != nil || uint64(len(page)) > limit || pages > 10 {
				t.Fatalf("page %v, %v", numbers(page), err)
			}
			all = append(all, numbers(page)...)
			if req.From = next; next == nil {
				break
			}
			if uint64(len(page)) != limit {
				t.Errorf("limit %d: page of %d with another one after it", limit, len(page))
			}
		}
		if !slices.Equal(all, []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
			t.Errorf("limit %d: %v", limit, all)
		}
	}
}

func TestGetKeepsOrderAndRepetitionsAndAsksOnlyTheOwners(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.kill(3) // holds shard 2 alone: not needed here
		var wanted []point.ID
		for id := uint64(0); len(wanted) < 4; id++ {
			if !slot.Spread(3)[2].Contains(slot.Of(point.Num(id))) {
				wanted = append(wanted, point.Num(id))
			}
		}
		missing := wanted[1]
		w.get = func(_ context.Context, c call, req shard.GetRequest) (records []point.Record, _ error) {
			for i, id := range req.IDs {
				if slices.Contains(req.IDs[:i], id) {
					t.Errorf("shard %d was asked twice for %s", c.shard, id)
				}
				if id != missing {
					records = append(records, point.Record{Point: point.Point{ID: id}})
				}
			}
			slices.Reverse(records)
			return records, nil
		}
		asked := []point.ID{wanted[3], wanted[0], wanted[1], wanted[3], wanted[2]}
		got, err := w.c.Get(context.Background(), col, shard.GetRequest{IDs: asked}, one)
		want := []uint64{wanted[3].Number(), wanted[0].Number(), wanted[3].Number(), wanted[2].Number()}
		if err != nil || !slices.Equal(numbers(got), want) {
			t.Errorf("got %v, %v, want %v", numbers(got), err, want)
		}
	}, ids{1}, ids{2}, ids{3})
}

func TestCountSumsTheShards(t *testing.T) {
	w := newWorld(t, ids{1}, ids{2}, ids{3})
	w.count = func(_ context.Context, c call) (uint64, error) { return 10 + uint64(c.shard), nil }
	if n, err := w.c.Count(context.Background(), col, nil, one); err != nil || n != 33 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestReadsPreferThisNodeThenTakeTurnsThenDrainingPeers(t *testing.T) {
	w := newWorld(t, ids{1, 2, 3})
	w.count = func(context.Context, call) (uint64, error) { return 1, nil }
	for range 5 {
		_, _ = w.c.Count(context.Background(), col, nil, one)
	}
	if got := w.peers(); !reflect.DeepEqual(got, ids{1, 1, 1, 1, 1}) {
		t.Errorf("asked %v", got)
	}
	w = newWorld(t, ids{2, 3})
	w.count = func(context.Context, call) (uint64, error) { return 1, nil }
	for range 10 {
		_, _ = w.c.Count(context.Background(), col, nil, one)
	}
	n2 := 0
	for _, id := range w.peers() {
		if id == 2 {
			n2++
		}
	}
	if n2 != 5 {
		t.Errorf("peer 2 served %d of 10", n2)
	}
	w.mu.calls = nil
	w.mu.draining[2] = true
	for range 4 {
		_, _ = w.c.Count(context.Background(), col, nil, one)
	}
	if got := w.peers(); !reflect.DeepEqual(got, ids{3, 3, 3, 3}) {
		t.Errorf("asked %v though peer 2 drains", got)
	}
}

func TestReadsGoOnToTheNextReplica(t *testing.T) {
	for name, err := range map[string]error{
		"behind":  fault.New(fault.Unavailable, "has applied 3, the read needs 5"),
		"gone":    fault.New(fault.StaleEpoch, "no replica here"),
		"corrupt": fault.New(fault.Corrupt, "checksum"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ids{1, 2, 3})
			w.kill(2)
			w.count = func(_ context.Context, c call) (uint64, error) {
				if c.peer == 1 {
					return 0, err
				}
				return 7, nil
			}
			if n, err := w.c.Count(context.Background(), col, nil, one); err != nil || n != 7 {
				t.Errorf("got %d, %v", n, err)
			}
			if got := w.peers(); !reflect.DeepEqual(got, ids{1, 3}) {
				t.Errorf("asked %v", got)
			}
		})
	}
}

func TestReadsStopWhereAnotherReplicaWouldSayTheSame(t *testing.T) {
	w := newWorld(t, ids{1, 2, 3})
	w.count = func(context.Context, call) (uint64, error) { return 0, fault.New(fault.Invalid, "bad filter") }
	if _, err := w.c.Count(context.Background(), col, nil, one); !fault.Is(err, fault.Invalid) || err.Error() != "bad filter" || len(w.calls()) != 1 {
		t.Errorf("got %v after %d calls", err, len(w.calls()))
	}
}

func TestReadsTryAgainForAWhileThenNameTheShard(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.count = func(_ context.Context, c call) (uint64, error) {
			if c.shard == 0 {
				return 1, nil
			}
			return 0, fault.New(fault.Unavailable, "being opened")
		}
		_, err := w.c.Count(context.Background(), col, nil, one)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "shard 1: ") || !strings.Contains(err.Error(), "being opened") || !strings.Contains(err.Error(), "node-") {
			t.Errorf("got %v", err)
		}
		if n := len(w.calls()); n != 7 {
			t.Errorf("%d calls: want 1 of shard 0, 3 rounds over 2 replicas of shard 1", n)
		}
	}, ids{1}, ids{2, 3})
}

func TestReadsFailAtOnceWhenNoActiveReplicaLives(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.kill(2)
		w.change(0, func(s *catalog.Shard) {
			s.Replicas = append([]catalog.Replica(nil), s.Replicas...)
			s.Replicas[1].State = catalog.Partial // peer 3 lives and does not count
		})
		start := time.Now()
		_, err := w.c.Count(context.Background(), col, nil, one)
		if !fault.Is(err, fault.Unavailable) || time.Since(start) != 0 || len(w.calls()) != 0 {
			t.Errorf("got %v after %v and %d calls", err, time.Since(start), len(w.calls()))
		}
		if text := err.Error(); !strings.Contains(text, "shard 0") || !strings.Contains(text, "node-2 (peer 2) does not answer") || strings.Contains(text, "node-3") {
			t.Errorf("got %v", err)
		}
	}, ids{2, 3})
}

func TestAReadsFirstFailureEndsTheOthersAndIsTheOneTold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.count = func(ctx context.Context, c call) (uint64, error) {
			if c.shard == 2 {
				return 0, fault.New(fault.Invalid, "cannot be")
			}
			<-ctx.Done()
			return 0, ctx.Err()
		}
		start := time.Now()
		_, err := w.c.Count(context.Background(), col, nil, one)
		if !fault.Is(err, fault.Invalid) || time.Since(start) != 0 {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		synctest.Wait() // for the reads that were cancelled
		w.count = func(ctx context.Context, _ call) (uint64, error) { <-ctx.Done(); return 0, ctx.Err() }
		ctx, cancel := within(time.Second)
		defer cancel()
		if _, err := w.c.Count(ctx, col, nil, one); !fault.Is(err, fault.Timeout) {
			t.Errorf("deadline: %v", err)
		}
	}, ids{1}, ids{2}, ids{3})
}

func TestAClientThatStaysReadsItsOwnWrites(t *testing.T) {
	w := newWorld(t, ids{2, 3}, ids{3, 2})
	w.count = func(context.Context, call) (uint64, error) { return 1, nil }
	next := uint64(20)
	w.write = func(context.Context, int, call) (uint64, bool, error) { return next, true, nil }
	mins := func() map[catalog.ShardID]uint64 {
		w.mu.calls = nil
		if _, err := w.c.Count(context.Background(), col, nil, one); err != nil {
			t.Fatal(err)
		}
		m := map[catalog.ShardID]uint64{}
		for _, c := range w.calls() {
			m[c.shard] = c.min
		}
		return m
	}
	want := func(why string, want map[catalog.ShardID]uint64) {
		t.Helper()
		if got := mins(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: min_index %v, want %v", why, got, want)
		}
	}
	want("before any write", map[catalog.ShardID]uint64{0: 0, 1: 0})
	one := point.Delete{Selector: point.Selector{IDs: []point.ID{point.Num(1)}}}
	var at catalog.ShardID
	if slot.Spread(2)[1].Contains(slot.Of(point.Num(1))) {
		at = 1
	}
	_, _ = w.c.Write(context.Background(), col, one, coordinator.WriteOptions{})
	want("after a write", map[catalog.ShardID]uint64{at: 20, 1 - at: 0})
	next = 15 // an answer that was overtaken
	_, _ = w.c.Write(context.Background(), col, one, coordinator.WriteOptions{})
	want("never backwards", map[catalog.ShardID]uint64{at: 20, 1 - at: 0})
	w.change(at, func(s *catalog.Shard) { s.UnsafePromotions++ })
	want("after an unsafe promotion", map[catalog.ShardID]uint64{0: 0, 1: 0})
	_, _ = w.c.Write(context.Background(), col, one, coordinator.WriteOptions{})
	want("in the new history", map[catalog.ShardID]uint64{at: 15, 1 - at: 0})
}

func TestInfoCountsEachShardOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.kill(3)
		w.status = func(peer catalog.PeerID, refs []catalog.ShardRef) ([]replica.Status, error) {
			var all []replica.Status
			for _, ref := range refs {
				st := replica.Status{Ref: ref, Generation: catalog.Generation(10*uint64(ref.Shard) + uint64(peer)), Points: 100 * uint64(peer), Vectors: 1, AppliedIndex: uint64(peer)}
				if ref.Shard == 2 {
					st.Generation = 99 // a former copy
				}
				all = append(all, st)
			}
			return all, nil
		}
		info, err := w.c.Info(context.Background(), col)
		if err != nil {
			t.Fatal(err)
		}
		// Shard 0: its primary 1. Shard 1: its primary 3 is dead, 2 answers. Shard 2: nobody with the right generation.
		if info.Points != 300 || info.Vectors != 2 || info.Shards[0].Points != 100 || info.Shards[1].Points != 200 || info.Shards[2].Answered {
			t.Errorf("got %+v", info)
		}
		if r := info.Shards[1].Replicas; len(r) != 2 || !r[0].Answered || r[1].Answered || r[1].Alive {
			t.Errorf("replicas %+v", r)
		}
		w.status = func(peer catalog.PeerID, _ []catalog.ShardRef) ([]replica.Status, error) {
			return nil, fault.New(fault.Unavailable, "no")
		}
		if info, err := w.c.Info(context.Background(), col); err != nil || info.Points != 0 {
			t.Errorf("when nobody answers: %+v, %v", info, err)
		}
	}, ids{1, 2}, ids{3, 2}, ids{2, 1})
}
