package dense_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// owners is which labels which owner has.
type owners struct {
	mu sync.Mutex
	of map[int64]*roaring.Bitmap
}

func newOwners() *owners { return &owners{of: map[int64]*roaring.Bitmap{}} }

func owner(n int64) dense.Value { return dense.Value{Field: "owner", Of: n} }

func (o *owners) Large(_ bool, least uint64, yield func(dense.Value, uint64)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []int64
	for n := range o.of {
		all = append(all, n)
	}
	slices.Sort(all)
	for _, n := range all {
		if count := o.of[n].GetCardinality(); count >= least {
			yield(owner(n), count)
		}
	}
}

func (o *owners) Having(v dense.Value) *roaring.Bitmap {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bm := o.of[v.Of.(int64)]; bm != nil {
		return bm.Clone()
	}
	return roaring.New()
}

// give gives a label to an owner alone, or to nobody, and tells the index.
func (o *owners) give(x *dense.Index, label uint32, to int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, bm := range o.of {
		bm.Remove(label)
	}
	if o.of[to] == nil {
		o.of[to] = roaring.New()
	}
	o.of[to].Add(label)
	x.Moved(1)
}

// filter lets through what an owner has now.
func (o *owners) filter(of int64) *dense.Filter {
	labels := o.Having(owner(of))
	return &dense.Filter{Lower: labels, Upper: labels, Expected: int(labels.GetCardinality()), Values: []dense.Value{owner(of)}}
}

var tenantConfig = dense.Config{PayloadM: 16, EfConstruct: 100, IndexingBytes: 1, DeletedThreshold: 0.2, VacuumMinVectors: 1000}

func checkSubs(t fataler, x *dense.Index) map[dense.Value]dense.Sub {
	t.Helper()
	s := x.Snapshot()
	defer s.Release()
	subs, wrong := s.CheckSubs()
	if len(wrong) > 0 {
		t.Fatal(wrong[:min(len(wrong), 3)])
	}
	return subs
}

// tenancy is an index of owners 0, 1 and 2 of many labels each, and owner 3 of ten.
type tenancy struct {
	*owners
	x      *dense.Index
	cloud  *cloud
	count  int
	scores atomic.Int64 // whole vectors that were compared
}

func newTenancy(t *testing.T, o dense.Options) *tenancy {
	n := &tenancy{owners: newOwners(), cloud: newCloud(3, 16, 40), count: 6000}
	if raced {
		n.count = 1500
	}
	o.Size, o.Distance, o.Values = 16, vec.Euclid, n.owners
	n.x = newIndex(t, o)
	n.x.CountScores(&n.scores)
	n.x.SmallSubs(int64(n.count/6), 64)
	for l := range uint32(n.count) {
		put(t, n.x, l, n.cloud.draw(vec.Euclid)...)
		n.give(n.x, l, int64(l%3))
	}
	for l := range uint32(10) {
		n.give(n.x, l*7, 3)
	}
	n.x.Publish()
	return n
}

// walks returns the recall of searches among the labels of an owner, and how many vectors one compared.
func (n *tenancy) walks(t *testing.T, f *dense.Filter, p dense.Params) (recall float64, compared int) {
	t.Helper()
	s := n.x.Snapshot()
	defer s.Release()
	queries := 40
	if raced {
		queries = 8
	}
	var found, all int
	n.scores.Store(0)
	for range queries {
		q := dense.Query{Vector: n.cloud.draw(vec.Euclid), Limit: 10, Before: ascending, Filter: f, Params: p}
		near, err := s.Search(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		before := n.scores.Load()
		q.Params = dense.Params{Exact: true}
		exact, err := s.Search(context.Background(), q)
		n.scores.Store(before)
		if err != nil || len(exact) != 10 {
			t.Fatal(exact, err)
		}
		for i, h := range near {
			if slices.Contains(near[:i], h) {
				t.Fatalf("%v is there twice", h)
			}
		}
		for _, h := range exact {
			if all++; slices.Contains(near, h) {
				found++
			}
		}
	}
	return float64(found) / float64(all), int(n.scores.Load()) / queries
}

// Without a graph of all, a search among many labels of one owner compares few of them and finds what an exact one does, whatever
// happened to them before.
func TestOwnersOfManyLabelsAreNotScanned(t *testing.T) {
	for name, happen := range map[string]func(*tenancy){
		"as built": func(*tenancy) {},
		"after changes": func(n *tenancy) {
			for l := range uint32(n.count / 3) {
				switch l % 4 {
				case 0:
					put(t, n.x, l, n.cloud.draw(vec.Euclid)...)
				case 1:
					n.give(n.x, l, int64(l/4%3))
				}
			}
		},
		"after a few changes": func(n *tenancy) { // which nobody puts into a graph yet
			for l := range uint32(30) {
				put(t, n.x, l, n.cloud.draw(vec.Euclid)...)
				n.give(n.x, l+100, 2)
			}
		},
		"cleared away": func(n *tenancy) {
			for l := range uint32(n.count / 3) {
				n.x.Remove(2 * l)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTenancy(t, dense.Options{Config: tenantConfig})
			defer closeIndex(t, n.x)
			if subs := checkSubs(t, n.x); len(subs) != 0 {
				t.Fatalf("before a review: %v", subs)
			}
			n.x.Review()
			settle(t, n.x)
			if st := n.x.Status(); st.Indexed != n.count-int(n.Having(owner(3)).GetCardinality()) || st.Vectors != n.count {
				t.Errorf("%+v", st)
			}
			happen(n)
			n.x.Publish()
			settle(t, n.x)
			if subs := checkSubs(t, n.x); len(subs) != 3 {
				t.Fatal(subs)
			}
			for o := range int64(3) {
				f := n.filter(o)
				r, compared := n.walks(t, f, dense.Params{Ef: 32})
				if r < 0.95 || compared > f.Expected*2/3 && !raced {
					t.Errorf("owner %d: recall %v, %d of %d compared", o, r, compared, f.Expected)
				}
				asked := *f
				asked.Lower, asked.Accept = nil, func(label uint32) (bool, error) { return label%2 == 0, nil }
				if r, compared = n.walks(t, &asked, dense.Params{Ef: 32}); r < 0.95 || compared >= n.x.Len() {
					t.Errorf("owner %d, asking payloads: recall %v, %d compared", o, r, compared)
				}
			}
		})
	}
}

// Beside a graph of all, those of values are walked on the same codes, and only if that costs less.
func TestGraphsOfValuesBesideThatOfAll(t *testing.T) {
	config := tenantConfig
	config.M = 16
	n := newTenancy(t, dense.Options{Config: config})
	defer closeIndex(t, n.x)
	n.x.Review()
	settle(t, n.x)
	for value, sub := range checkSubs(t, n.x) {
		if !sub.ByCode || sub.Places > n.count/2 {
			t.Errorf("%v: %+v", value, sub)
		}
	}
	for o := range int64(3) {
		with := n.filter(o)
		without := *with
		without.Values = nil
		r, compared := n.walks(t, with, dense.Params{Ef: 32, IgnoreCodes: true})
		rAll, comparedAll := n.walks(t, &without, dense.Params{Ef: 32, IgnoreCodes: true})
		if r < 0.95 || compared > comparedAll && !raced {
			t.Errorf("owner %d: recall %v of %d compared; by the graph of all %v of %d", o, r, compared, rAll, comparedAll)
		}
		if r, _ := n.walks(t, with, dense.Params{Ef: 32}); r < 0.95 {
			t.Errorf("owner %d, by codes: recall %v", o, r)
		}
	}
	config.PayloadM = 0
	n.x.SetConfig(config)
	settle(t, n.x)
	if subs := checkSubs(t, n.x); len(subs) != 0 {
		t.Errorf("nobody wants %v", subs)
	}
	config.M, config.PayloadM = 0, 8
	n.x.SetConfig(config)
	settle(t, n.x)
	if subs := checkSubs(t, n.x); len(subs) != 3 || subs[owner(0)].ByCode {
		t.Errorf("%v", subs)
	}
}

// Until the graphs of values are there the index is busy, and searches are exact.
func TestGraphsOfValuesTakeTheirTime(t *testing.T) {
	pool := dense.NewPool(1)
	n := newTenancy(t, dense.Options{Config: tenantConfig, Pool: pool})
	defer closeIndex(t, n.x)
	release := pool.Hold()
	n.x.Review()
	if st := n.x.Status(); !st.Busy || st.Indexed != 0 {
		t.Errorf("%+v", st)
	}
	f := n.filter(1)
	if r, _ := n.walks(t, f, dense.Params{Ef: 32}); r != 1 {
		t.Errorf("recall %v", r)
	}
	release()
	settle(t, n.x)
	if subs := checkSubs(t, n.x); len(subs) != 3 {
		t.Error(subs)
	}
}

// Whatever happens to labels, vectors and owners, graphs of values hold what they promise, and searches find nothing else than there
// is, once, with the right scores; and all of it that is not in a graph.
func TestGraphsOfValuesHoldWhatTheyPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newOwners()
		config := dense.Config{PayloadM: 2, EfConstruct: 16, IndexingBytes: 1, DeletedThreshold: 0.3, FullScanBytes: 1}
		if rapid.Bool().Draw(t, "graph of all") {
			config.M = 2
		}
		x := newIndex(t, dense.Options{Size: 2, Distance: vec.Euclid, Config: config, Values: o})
		defer closeIndex(t, x)
		x.SmallSubs(20, 30)
		x.Review()
		vectors := oracle{}
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 5))
		for range rapid.IntRange(1, 10).Draw(t, "publishes") {
			for range rnd.IntN([]int{30, 300}[rnd.IntN(2)]) {
				l := uint32(rnd.IntN(200))
				switch rnd.IntN(8) {
				case 0:
					x.Remove(l)
					delete(vectors, l)
				case 1, 2:
					o.give(x, l, int64(rnd.IntN(3)))
				default:
					vectors[l] = []float32{float32(rnd.NormFloat64()), float32(rnd.NormFloat64())}
					put(t, x, l, vectors[l]...)
				}
			}
			x.Publish()
			if rnd.IntN(8) == 0 {
				config.PayloadM = []int{0, 2, 3}[rnd.IntN(3)]
				x.SetConfig(config)
			}
			settled := rnd.IntN(2) == 0
			if settled {
				settle(t, x)
			}
			checkOwners(t, x, o, vectors, settled && config.M == 0)
		}
		settle(t, x)
		checkOwners(t, x, o, vectors, config.M == 0)
	})
}

// checkOwners searches among the labels of each owner, all of them and those that a payload is asked about. alone: there is no graph
// but those of owners, and none changes meanwhile.
func checkOwners(t *rapid.T, x *dense.Index, o *owners, vectors oracle, alone bool) {
	t.Helper()
	s := x.Snapshot()
	defer s.Release()
	subs := checkSubs(t, x)
	for n := range int64(3) {
		plain, asking := o.filter(n), o.filter(n)
		asking.Lower, asking.Accept = nil, func(label uint32) (bool, error) { return label%2 == 0, nil }
		for _, f := range []*dense.Filter{plain, asking} {
			q := dense.Query{Vector: []float32{0, 0}, Limit: 3, Before: ascending, Filter: f, Params: dense.Params{Ef: 3}}
			got, err := s.Search(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			want := vectors.search(vec.Euclid, q.Vector, len(vectors), func(l uint32) (bool, error) {
				return f.Upper.Contains(l) && (f.Accept == nil || l%2 == 0), nil
			})
			for i, h := range got {
				if !slices.Contains(want, h) || i > 0 && (got[i-1].Label == h.Label || h.Score < got[i-1].Score) {
					t.Fatalf("owner %d: %v of %v", n, got, want)
				}
			}
			for _, h := range want[:min(3, len(want))] {
				sub, ok := subs[owner(n)]
				if alone && !slices.Contains(got, h) && (!ok || !sub.Holds(h.Label)) {
					t.Fatalf("owner %d: %v of %v is compared one by one, and not in %v", n, h, want, got)
				}
			}
		}
	}
}
