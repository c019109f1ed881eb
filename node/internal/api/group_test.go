package api_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

// grouped is what groups there are, by hand: the best points of each value, the values with the best points first.
func grouped(values map[uint64][]string, scores map[uint64]float64, limit, size int) (out []string) {
	of := map[string]map[uint64]float64{}
	top := map[string]graded1{}
	for id, s := range scores {
		for _, v := range values[id] {
			if of[v] == nil {
				of[v] = map[uint64]float64{}
			}
			of[v][id] = s
		}
	}
	names := []string{}
	for v := range of {
		top[v] = best(of[v], 1)[0]
		names = append(names, v)
	}
	slices.SortFunc(names, func(a, b string) int {
		if x := best(map[uint64]float64{1: top[a].score, 2: top[b].score}, 1)[0]; top[a].score != top[b].score {
			return map[uint64]int{1: -1, 2: 1}[x.id]
		}
		return int(top[a].id) - int(top[b].id)
	})
	for _, v := range names[:min(limit, len(names))] {
		text := v + ":"
		for _, p := range best(of[v], size) {
			text += fmt.Sprintf(" %d", p.id)
		}
		out = append(out, text)
	}
	return out
}

func shownGroups(groups []*qdrant.PointGroup) (out []string) {
	for _, g := range groups {
		text := g.GetId().GetStringValue() + ":"
		switch k := g.GetId().GetKind().(type) {
		case *qdrant.GroupId_UnsignedValue:
			text = fmt.Sprintf("%d:", k.UnsignedValue)
		case *qdrant.GroupId_IntegerValue:
			text = fmt.Sprintf("%d:", k.IntegerValue)
		}
		for _, h := range g.GetHits() {
			text += fmt.Sprintf(" %d", h.GetId().GetNum())
		}
		out = append(out, text)
	}
	return out
}

// One value has most of the best points, some points have none, and groups are few or many, small or large.
func TestResultsAreGroupedByAValue(t *testing.T) {
	l := prepared(t)
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	rnd := rand.New(rand.NewPCG(5, 6))
	values, scores := map[uint64][]string{}, map[uint64]float64{}
	for id := uint64(1); id <= 80; id++ {
		x := float32(id)
		payload := map[string]any{"even": id%2 == 0}
		switch r := rnd.IntN(10); {
		case id > 50: // the best ones
			payload["k"], values[id] = "much", []string{"much"}
		case r < 3:
			payload["k"], values[id] = "some", []string{"some"}
		case r < 5:
			payload["k"], values[id] = int64(r)-4, []string{fmt.Sprint(int64(r) - 4)}
		case r < 7:
			payload["k"], values[id] = fmt.Sprintf("v%d", id%7), []string{fmt.Sprintf("v%d", id%7)}
		case r < 8:
			payload["k"] = 1.5 // is in no group
		}
		scores[id] = float64(x)
		l.must("Points.Upsert", upsert(aPoint(id, payload, x, 0)))
	}
	q := &qdrant.QueryPointGroups{CollectionName: "c", Query: qdrant.NewQuery(1, 0), GroupBy: "k"}
	for _, limit := range []uint64{1, 2, 3, 5, 40} {
		for _, size := range []uint64{1, 2, 10} {
			q.Limit, q.GroupSize = &limit, &size
			got := shownGroups(l.must("Points.QueryGroups", q).(*qdrant.QueryGroupsResponse).GetResult().GetGroups())
			if want := grouped(values, scores, int(limit), int(size)); !slices.Equal(got, want) {
				t.Errorf("%d groups of %d:\n got %q\nwant %q", limit, size, got, want)
			}
		}
	}
	q.Limit, q.GroupSize, q.WithPayload, q.WithVectors = nil, nil, qdrant.NewWithPayload(true), qdrant.NewWithVectors(true)
	groups := l.must("Points.QueryGroups", q).(*qdrant.QueryGroupsResponse).GetResult().GetGroups()
	if want := grouped(values, scores, 10, 3); !slices.Equal(shownGroups(groups), want) {
		t.Errorf("got %q, want %q", shownGroups(groups), want)
	}
	for _, g := range groups {
		for _, h := range g.GetHits() {
			if h.GetPayload()["even"].GetBoolValue() != (h.GetId().GetNum()%2 == 0) || h.GetScore() != float32(h.GetId().GetNum()) || h.GetVectors() == nil {
				t.Errorf("%v", h)
			}
		}
	}
	search := &qdrant.SearchPointGroups{CollectionName: "c", Vector: []float32{1, 0}, GroupBy: "k", Limit: 4, GroupSize: 2}
	got := shownGroups(l.must("Points.SearchGroups", search).(*qdrant.SearchGroupsResponse).GetResult().GetGroups())
	if want := grouped(values, scores, 4, 2); !slices.Equal(got, want) {
		t.Errorf("searched: got %q, want %q", got, want)
	}
	recommend := &qdrant.RecommendPointGroups{CollectionName: "c", PositiveVectors: []*qdrant.Vector{qdrant.NewVector(1, 0)}, GroupBy: "k", Limit: 4, GroupSize: 2}
	got = shownGroups(l.must("Points.RecommendGroups", recommend).(*qdrant.RecommendGroupsResponse).GetResult().GetGroups())
	if want := grouped(values, scores, 4, 2); !slices.Equal(got, want) {
		t.Errorf("recommended: got %q, want %q", got, want)
	}
	fused := &qdrant.QueryPointGroups{
		CollectionName: "c", GroupBy: "k", Limit: new(uint64(4)), GroupSize: new(uint64(2)), Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF),
		Prefetch: []*qdrant.PrefetchQuery{{Query: qdrant.NewQuery(1, 0), Limit: new(uint64(80))}},
	}
	got = shownGroups(l.must("Points.QueryGroups", fused).(*qdrant.QueryGroupsResponse).GetResult().GetGroups())
	if want := grouped(values, scores, 4, 2); !slices.Equal(got, want) {
		t.Errorf("fused: got %q, want %q", got, want)
	}
}

// A point with several values is in a group of each.
func TestAPointIsInTheGroupOfEachOfItsValues(t *testing.T) {
	l := prepared(t)
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	l.must("Points.Upsert", upsert(
		aPoint(1, map[string]any{"k": []any{"a", "b", "a"}}, 9, 0), aPoint(2, map[string]any{"k": "a"}, 8, 0), aPoint(3, map[string]any{"k": []any{"b", 7}}, 7, 0),
	))
	q := &qdrant.QueryPointGroups{CollectionName: "c", Query: qdrant.NewQuery(1, 0), GroupBy: "k"}
	got := shownGroups(l.must("Points.QueryGroups", q).(*qdrant.QueryGroupsResponse).GetResult().GetGroups())
	slices.Sort(got)
	if want := []string{"7: 3", "a: 1 2", "b: 1 3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Groups are found behind any number of points that are in none, or in those that are known, or in both.
func TestGroupsAreFoundBehindPointsThatMakeNone(t *testing.T) {
	l := prepared(t)
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	var points []*qdrant.PointStruct
	add := func(value any) {
		id := uint64(len(points) + 1)
		points = append(points, aPoint(id, map[string]any{"k": value}, float32(1000-id), 0))
	}
	for range 40 {
		add(1.5)
	}
	for range 20 {
		add("a")
		add(7)
		add([]any{"a", 7})
		add([]any{"a", true})
	}
	add([]any{7, "b", "a"}) // 121
	add([]any{"b", "c"})    // 122
	add("c")                // 123
	l.must("Points.Upsert", upsert(points...))
	q := &qdrant.QueryPointGroups{CollectionName: "c", Query: qdrant.NewQuery(1, 0), GroupBy: "k"}
	want := []string{"a: 41 43", "7: 42 43", "b: 121 122", "c: 122 123"}
	for limit := uint64(1); limit <= 5; limit++ {
		q.Limit, q.GroupSize = &limit, new(uint64(2))
		got := shownGroups(l.must("Points.QueryGroups", q).(*qdrant.QueryGroupsResponse).GetResult().GetGroups())
		if want := want[:min(limit, 4)]; !slices.Equal(got, want) {
			t.Errorf("%d groups: got %q, want %q", limit, got, want)
		}
	}
}

// Groups that are known take no conditions from those that a filter may have: all of those may be the query's own.
func TestGroupsLeaveAFilterItsConditions(t *testing.T) {
	l := prepared(t)
	l.must("Points.Delete", &qdrant.DeletePoints{CollectionName: "c", Points: ids()})
	var points []*qdrant.PointStruct
	for id := uint64(1); id <= 60; id++ {
		points = append(points, aPoint(id, map[string]any{"k": int64(id) / 2}, float32(1000-id), 0))
	}
	l.must("Points.Upsert", upsert(points...))
	own := &qdrant.Filter{}
	for i := range filter.MaxConditions {
		own.Should = append(own.Should, qdrant.NewHasID(qdrant.NewIDNum(uint64(i+1))))
	}
	q := &qdrant.QueryPointGroups{
		CollectionName: "c", Query: qdrant.NewQuery(1, 0), GroupBy: "k", Limit: new(uint64(50)), GroupSize: new(uint64(1)), Filter: own,
	}
	groups := l.must("Points.QueryGroups", q).(*qdrant.QueryGroupsResponse).GetResult().GetGroups()
	if len(groups) != 31 {
		t.Errorf("%d groups", len(groups))
	}
}

// A filter of the greatest depth may stand wherever one may, though what it is carried out in are filters around it.
func TestFiltersOfTheGreatestDepth(t *testing.T) {
	l := prepared(t)
	deep := func(levels int) *qdrant.Filter {
		f := &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewHasID(qdrant.NewIDNum(1))}}
		for range levels - 1 {
			f = &qdrant.Filter{Must: []*qdrant.Condition{{ConditionOneOf: &qdrant.Condition_Filter{Filter: f}}}}
		}
		return f
	}
	within := func(innermost *qdrant.Filter) []*qdrant.PrefetchQuery {
		p := &qdrant.PrefetchQuery{Query: qdrant.NewQuery(1, 0), Filter: innermost}
		for range 7 {
			p = &qdrant.PrefetchQuery{Query: qdrant.NewQuery(1, 0), Filter: deep(filter.MaxDepth), Prefetch: []*qdrant.PrefetchQuery{p}}
		}
		return []*qdrant.PrefetchQuery{p}
	}
	q := &qdrant.QueryPointGroups{
		CollectionName: "c", Query: qdrant.NewQuery(1, 0), GroupBy: "k", Filter: deep(filter.MaxDepth), Prefetch: within(deep(filter.MaxDepth)),
	}
	l.must("Points.SetPayload", &qdrant.SetPayloadPoints{CollectionName: "c", Payload: qdrant.NewValueMap(map[string]any{"k": "x"}), PointsSelector: qdrant.NewPointsSelector(qdrant.NewIDNum(1))})
	groups := shownGroups(l.must("Points.QueryGroups", q).(*qdrant.QueryGroupsResponse).GetResult().GetGroups())
	if !slices.Equal(groups, []string{"x: 1"}) {
		t.Errorf("found %q", groups)
	}
	q.Prefetch = within(deep(filter.MaxDepth + 1))
	l.refused("Points.QueryGroups", q, codes.InvalidArgument, "more than 64 levels deep")
	q.Prefetch, q.Filter = nil, deep(filter.MaxDepth+1)
	l.refused("Points.QueryGroups", q, codes.InvalidArgument, "more than 64 levels deep")
}

func TestBadGroupsAreRefused(t *testing.T) {
	nearest := qdrant.NewQuery(1, 2)
	for _, c := range []struct {
		request *qdrant.QueryPointGroups
		code    codes.Code
		text    string
	}{
		{&qdrant.QueryPointGroups{Query: nearest}, codes.InvalidArgument, "group_by"},
		{&qdrant.QueryPointGroups{Query: nearest, GroupBy: "a..b"}, codes.InvalidArgument, "payload path"},
		{&qdrant.QueryPointGroups{Query: nearest, GroupBy: "k", Limit: new(uint64(0))}, codes.InvalidArgument, "limit"},
		{&qdrant.QueryPointGroups{Query: nearest, GroupBy: "k", GroupSize: new(uint64(0))}, codes.InvalidArgument, "group_size"},
		{&qdrant.QueryPointGroups{Query: nearest, GroupBy: "k", Limit: new(uint64(1 << 40)), GroupSize: new(uint64(1 << 40))}, codes.InvalidArgument, "points together"},
		{&qdrant.QueryPointGroups{GroupBy: "k"}, codes.InvalidArgument, "groups need a query that scores"},
		{&qdrant.QueryPointGroups{Query: qdrant.NewQuerySample(qdrant.Sample_Random), GroupBy: "k"}, codes.InvalidArgument, "groups need a query that scores"},
		{&qdrant.QueryPointGroups{Query: qdrant.NewQuery(1), GroupBy: "k"}, codes.InvalidArgument, "expected dim: 2, got 1"},
		{&qdrant.QueryPointGroups{Query: nearest, GroupBy: "k", WithLookup: &qdrant.WithLookup{Collection: "c"}}, codes.Unimplemented, "lookup of groups"},
		{&qdrant.QueryPointGroups{CollectionName: "nowhere", Query: nearest, GroupBy: "k"}, codes.NotFound, "nowhere"},
	} {
		walkNamesUnset(c.request)
		filledCluster(t, 3).refused("Points.QueryGroups", proto.Message(c.request), c.code, c.text)
	}
}
