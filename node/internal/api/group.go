package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// grouping says how results are put into groups: by the values at a path, the best of each.
type grouping struct {
	key   string
	path  point.Path
	limit uint64 // groups
	size  uint64 // points of each
}

// The defaults of a query that does not say.
const (
	defaultGroups    = 10
	defaultGroupSize = 3
)

// groupingFrom checks a grouping.
func (c *core) groupingFrom(key string, limit, size uint64) (g grouping, err error) {
	g = grouping{key: key, limit: limit, size: size}
	if g.path, err = point.ParsePath(key); err != nil {
		return g, err
	}
	if limit > c.MaxLimit || size > c.MaxLimit/max(limit, 1) {
		return g, invalid("%d groups of %d are more than %d points together", limit, size, c.MaxLimit)
	}
	return g, nil
}

// group is the best points that have a value: a text or an integer.
type group struct {
	value any
	hits  []shard.Scored
	whole bool // nothing is missing
}

// grouped is a grouping under way.
type grouped struct {
	e      *evaluation
	query  query
	by     grouping
	groups []*group
}

// groups answers a query by groups, those with the best points first. It searches again without the groups that it knows until there
// are enough, and then within those of which it did not see enough points.
func (e *evaluation) groups(ctx context.Context, q query, by grouping) ([]*group, error) {
	p, v := q.Payload, q.Vectors
	q.Payload, q.Vectors = shard.PayloadSelector{Enable: true, Include: []string{by.key}}, shard.VectorSelector{}
	q.Limit, q.Offset = by.limit*by.size, 0
	g := grouped{e: e, by: by, query: q}
	if err := g.gather(ctx); err != nil {
		return nil, err
	}
	if err := g.complete(ctx); err != nil {
		return nil, err
	}
	g.order()
	return g.groups, g.fill(ctx, p, v)
}

// gather finds the groups. What comes of prefetches is not much, and would be another with another filter: it is asked for once.
func (g *grouped) gather(ctx context.Context) error {
	if len(g.query.prefetch) > 0 {
		g.query.Limit = g.e.s.MaxLimit
		found, err := g.e.all(ctx, []query{g.query})
		if err != nil {
			return err
		}
		g.take(found[0])
		for _, x := range g.groups {
			x.whole = true
		}
		return nil
	}
	for q := g.query; uint64(len(g.groups)) < g.by.limit; {
		found, err := g.e.all(ctx, []query{g.others(q)})
		if err != nil {
			return err
		}
		before := len(g.groups)
		g.take(found[0])
		all := uint64(len(found[0])) < q.Limit
		for _, x := range g.groups[before:] {
			x.whole = all || uint64(len(x.hits)) >= g.by.size
		}
		if all {
			return nil
		}
		if len(g.groups) == before { // the best points have no values that make groups, or have others beside them
			if q.Limit == g.e.s.MaxLimit {
				return nil
			}
			q.Limit = min(wider*q.Limit, g.e.s.MaxLimit)
		}
	}
	return nil
}

// wider is how many times as many points are asked for when those that came made no new group.
const wider = 8

// others narrows a query to points that may be in groups which are not known: all of those, and few others. So a group that is new in its
// result is whole as far as the result goes.
func (g *grouped) others(q query) query {
	key := g.by.key
	empty := filter.Condition{IsEmpty: &key}
	var words, numbers filter.Match
	for _, known := range g.groups {
		switch v := known.value.(type) {
		case string:
			words.ExceptKeyword = append(words.ExceptKeyword, v)
		case int64:
			numbers.ExceptInteger = append(numbers.ExceptInteger, v)
		}
	}
	others := &filter.Filter{MustNot: []filter.Condition{empty}}
	if len(words.ExceptKeyword) > 0 {
		others.Must = append(others.Must, filter.Condition{Field: &filter.Field{Key: key, Match: &words}})
	}
	if len(numbers.ExceptInteger) > 0 {
		others.Must = append(others.Must, filter.Condition{Field: &filter.Field{Key: key, Match: &numbers}})
	}
	narrowed := q.narrowed(others)
	if _, err := filter.Compile(narrowed.Filter); err != nil { // more values than a filter may have, with those of the query's own
		return q.narrowed(&filter.Filter{MustNot: others.MustNot})
	}
	return narrowed
}

// take puts hits into new groups.
func (g *grouped) take(hits []shard.Scored) {
	known, old := make(map[any]*group, len(g.groups)), make(map[*group]bool, len(g.groups))
	for _, x := range g.groups {
		known[x.value], old[x] = x, true
	}
	for _, h := range hits {
		for _, value := range g.by.values(h.Payload) {
			x := known[value]
			if x == nil {
				if uint64(len(g.groups)) == g.by.limit {
					continue
				}
				x = &group{value: value}
				known[value] = x
				g.groups = append(g.groups, x)
			}
			if !old[x] && uint64(len(x.hits)) < g.by.size {
				x.hits = append(x.hits, h)
			}
		}
	}
}

// values are those of a point that make groups, each once.
func (by *grouping) values(p point.Payload) (out []any) {
	add := func(v any) {
		switch v.(type) {
		case string, int64:
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	for v := range by.path.Values(p) {
		if list, ok := v.([]any); ok {
			for _, e := range list {
				add(e)
			}
		} else {
			add(v)
		}
	}
	return out
}

// has is a condition that a point is in a group.
func (g *grouped) has(x *group) filter.Condition {
	match := &filter.Match{}
	switch v := x.value.(type) {
	case string:
		match.Keyword = &v
	case int64:
		match.Integer = &v
	}
	return filter.Condition{Field: &filter.Field{Key: g.by.key, Match: match}}
}

// complete searches within the groups of which something may be missing.
func (g *grouped) complete(ctx context.Context) error {
	var queries []query
	var of []*group
	for _, x := range g.groups {
		if !x.whole {
			q := g.query.narrowed(&filter.Filter{Must: []filter.Condition{g.has(x)}})
			q.Limit = g.by.size
			queries, of = append(queries, q), append(of, x)
		}
	}
	if len(queries) == 0 {
		return nil
	}
	results, err := g.e.all(ctx, queries)
	for i, hits := range results {
		of[i].hits = hits
	}
	return err
}

// order puts the groups with the best points first, and leaves out those that have become empty meanwhile.
func (g *grouped) order() {
	g.groups = slices.DeleteFunc(g.groups, func(x *group) bool { return len(x.hits) == 0 })
	d := g.e.order(&g.query)
	slices.SortStableFunc(g.groups, func(a, b *group) int {
		x, y := a.hits[0], b.hits[0]
		return cmp.Or(d.Compare(x.Score, y.Score), x.ID.Compare(y.ID))
	})
}

// fill reads what is returned of the points.
func (g *grouped) fill(ctx context.Context, p shard.PayloadSelector, v shard.VectorSelector) error {
	var all []shard.Scored
	for _, x := range g.groups {
		for i := range x.hits {
			x.hits[i].Payload = nil
		}
		all = append(all, x.hits...)
	}
	if !p.Enable && !v.Enable {
		return nil
	}
	records, err := g.e.filled(ctx, all, p, v)
	if err != nil {
		return err
	}
	byID := map[point.ID]shard.Scored{}
	for _, r := range records {
		byID[r.ID] = r
	}
	for _, x := range g.groups {
		kept := x.hits[:0]
		for _, h := range x.hits {
			if r, ok := byID[h.ID]; ok {
				kept = append(kept, r)
			}
		}
		x.hits = kept
	}
	g.groups = slices.DeleteFunc(g.groups, func(x *group) bool { return len(x.hits) == 0 })
	return nil
}

// narrowed returns a query that finds only what also matches f.
func (q *query) narrowed(f *filter.Filter) query {
	out := *q
	out.Filter = both(q.Filter, f)
	return out
}

// groupsTo writes groups.
func groupsTo(e *evaluation, groups []*group) (*qdrant.GroupsResult, error) {
	out := &qdrant.GroupsResult{Groups: make([]*qdrant.PointGroup, len(groups))}
	for i, g := range groups {
		hits, err := scoredTo(g.hits, &e.declared)
		if err != nil {
			return nil, err
		}
		out.Groups[i] = &qdrant.PointGroup{Id: groupIDTo(g.value), Hits: hits}
	}
	return out, nil
}

func groupIDTo(value any) *qdrant.GroupId {
	switch v := value.(type) {
	case string:
		return &qdrant.GroupId{Kind: &qdrant.GroupId_StringValue{StringValue: v}}
	case int64:
		if v >= 0 {
			return &qdrant.GroupId{Kind: &qdrant.GroupId_UnsignedValue{UnsignedValue: uint64(v)}}
		}
		return &qdrant.GroupId{Kind: &qdrant.GroupId_IntegerValue{IntegerValue: v}}
	}
	return nil
}
