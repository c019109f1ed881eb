package shard_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// tenants is a schema without a graph of all points.
var tenants = shard.Schema{
	Vectors: map[string]shard.VectorSchema{
		"v": {Size: 4, Distance: vec.Euclid, Index: dense.Config{PayloadM: 8, EfConstruct: 64, IndexingBytes: 1, FullScanBytes: 1000 * 4 * 4, DeletedThreshold: 0.2, VacuumMinVectors: 1000}},
	},
	Fields: payload.Schema{"tenant": {Kind: payload.Keyword}, "n": {Kind: payload.Integer}},
	Values: []string{"tenant", "n"}, Tenants: 1,
}

// tenantPoints are points of tenants in turn.
func tenantPoints(from, to uint64, words ...string) (ps []point.Point) {
	rnd := rand.New(rand.NewPCG(from, 9))
	for i := from; i < to; i++ {
		ps = append(ps, point.Point{
			ID: point.Num(i), Vectors: point.Vectors{"v": {rnd.Float32(), rnd.Float32(), rnd.Float32(), rnd.Float32()}},
			Payload: point.Payload{"tenant": words[i%uint64(len(words))], "n": int64(i % 5)},
		})
	}
	return ps
}

func tenantIs(word string, more ...filter.Condition) *filter.Filter {
	return &filter.Filter{Must: append(more, filter.Condition{Field: &filter.Field{Key: "tenant", Match: &filter.Match{Keyword: &word}}})}
}

// tenantRecall is which part of a tenant's ten nearest points searches find. They find none of others.
func tenantRecall(t *testing.T, s *shard.Shard, f *filter.Filter, is func(point.Payload) bool) float64 {
	t.Helper()
	found, all := 0, 0
	for _, p := range tenantPoints(90_000, 90_020, "nobody") {
		req := shard.SearchRequest{Using: "v", Vector: p.Vectors["v"], Limit: 10, HNSWEf: 48, Filter: f, Payload: shard.PayloadSelector{Enable: true}}
		near, err := s.Search(ctx, req)
		req.Exact = true
		exact, err2 := s.Search(ctx, req)
		if err != nil || err2 != nil || len(near) != len(exact) {
			t.Fatal(near, err, exact, err2)
		}
		for _, h := range near {
			if !is(h.Payload) {
				t.Fatalf("%v is not to be found", h)
			}
		}
		for _, h := range exact {
			if all++; slices.ContainsFunc(near, func(o shard.Scored) bool { return o.ID == h.ID && o.Score == h.Score }) {
				found++
			}
		}
	}
	return float64(found) / float64(all)
}

func settled(t *testing.T, s *shard.Shard, indexed uint64) {
	t.Helper()
	s.AwaitBuilds()
	if err := s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	if x := s.Indexes(); x.Busy || x.Problem != "" || x.Indexed != indexed {
		t.Fatalf("%+v, %d are to be indexed", x, indexed)
	}
}

// Tenants of many points have graphs, whatever happens to their points; a restart builds them anew, and the shard is busy until then.
func TestTenantsHaveGraphs(t *testing.T) {
	n := newNode(t)
	s := n.open2(t, tenants)
	apply(t, s, upsert(tenantPoints(0, 3600, "acme", "globex", "acme", "globex", "few", "globex")...))
	settled(t, s, 3000)
	check := func(word string) {
		t.Helper()
		if r := tenantRecall(t, s, tenantIs(word), func(p point.Payload) bool { return p["tenant"] == word }); r < 0.95 {
			t.Errorf("%s: recall %v", word, r)
		}
		second := int64(2)
		f := tenantIs(word, filter.Condition{Field: &filter.Field{Key: "n", Match: &filter.Match{Integer: &second}}})
		if r := tenantRecall(t, s, f, func(p point.Payload) bool { return p["tenant"] == word && p["n"] == second }); r < 0.95 {
			t.Errorf("%s of n = 2: recall %v", word, r)
		}
	}
	check("acme")
	check("globex")
	check("few")
	// Points of globex become acme's, others change their vectors, others go.
	var ids, gone []point.ID
	for i := uint64(1); i < 1800; i += 6 {
		ids, gone = append(ids, point.Num(i)), append(gone, point.Num(i+2))
	}
	apply(t, s, point.SetPayload{Selector: point.Selector{IDs: ids}, Payload: point.Payload{"tenant": "acme"}})
	apply(t, s, upsert(tenantPoints(1800, 2400, "acme", "globex", "acme", "globex", "few", "globex")...))
	apply(t, s, point.Delete{Selector: point.Selector{IDs: gone}})
	if err := s.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	check("acme")
	check("globex")
	check("few")
	closeShard(t, s)

	s = n.open2(t, tenants)
	if x := s.Indexes(); !x.Busy && x.Indexed == 0 {
		t.Errorf("at rest without graphs: %+v", x)
	}
	settled(t, s, 1200+1800-300)
	check("acme")
	check("globex")
	// Without the index of the field there are no graphs either, and with it there are.
	less := tenants
	less.Fields, less.Values, less.Tenants = payload.Schema{"n": {Kind: payload.Integer}}, []string{"n"}, 0
	s.SetSchema(less)
	settled(t, s, 0)
	check("acme")
	s.SetSchema(tenants)
	settled(t, s, 1200+1800-300)
	check("globex")
	// What is being built does not keep a vector from going.
	s.SetSchema(less)
	s.SetSchema(tenants)
	s.SetSchema(shard.Schema{Fields: tenants.Fields, Values: tenants.Values, Tenants: 1})
	settled(t, s, 0)
	closeShard(t, s)
}
