package shard

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Search returns the points nearest to the request's vector, best first; points of equal scores are in the order of
// their ids.
func (s *Shard) Search(ctx context.Context, req SearchRequest) ([]Scored, error) {
	m, err := filter.Compile(req.Filter)
	if err != nil {
		return nil, err
	}
	var hits []found
	r, err := s.read(func(r *reader) error {
		hits, err = r.searchLocked(ctx, req, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.scored(req, hits)
}

// found is a result before its record is read.
type found struct {
	id      point.ID
	version uint64
	score   float32
}

// searchLocked searches under the read lock: the index may not change meanwhile, and a change waits for it.
func (r *reader) searchLocked(ctx context.Context, req SearchRequest, m *filter.Matcher) ([]found, error) {
	schema, err := r.schema.vector(req.Using)
	if err != nil {
		return nil, err
	}
	query, err := schema.stored(req.Vector)
	if err != nil {
		return nil, err
	}
	if _, err := r.selection(req.Payload, req.Vectors); err != nil {
		return nil, err
	}
	q := searcher{r: r, using: req.Using, sp: r.s.mu.spaces[req.Using], table: r.s.mu.table, query: query, matcher: m}
	q.limit = int(min(req.Limit, uint64(math.MaxInt32)))
	for _, id := range req.Exclude {
		if l, ok := q.table.labels[id]; ok {
			q.exclude.set(l)
		}
	}
	hits, err := q.run(ctx, req.Filter)
	return cutAt(req.ScoreThreshold, schema, hits), err
}

// cutAt drops the hits that are not strictly better than the threshold.
func cutAt(threshold *float32, schema VectorSchema, hits []found) []found {
	if threshold == nil {
		return hits
	}
	n := slices.IndexFunc(hits, func(h found) bool { return !schema.Distance.Better(h.score, *threshold) })
	if n < 0 {
		return hits
	}
	return hits[:n]
}

// searcher is one search of one space.
type searcher struct {
	r       *reader
	using   string
	sp      *space
	table   *table
	query   []float32
	matcher *filter.Matcher
	exclude bitmap
	limit   int
}

// scanFactor: reading a vector by its id costs about as much as comparing this many in memory.
const scanFactor = 16

func (q *searcher) run(ctx context.Context, f *filter.Filter) ([]found, error) {
	if ids, ok := f.IDs(); ok && uint64(len(ids))*scanFactor <= q.sp.count {
		return q.amongIDs(ctx, ids)
	}
	var accept func(uint32) (bool, error)
	if len(q.exclude) > 0 || !q.matcher.MatchesAll() {
		accept = q.accept
	}
	labels, scores, err := q.sp.index.Search(ctx, q.query, q.limit, accept, q.table.before)
	if err != nil {
		return nil, err
	}
	hits := make([]found, len(labels))
	for i, l := range labels {
		hits[i] = q.found(l, scores[i])
	}
	return hits, nil
}

func (q *searcher) found(label uint32, score float32) found {
	row := &q.table.rows[label]
	return found{id: row.id, version: row.version, score: score}
}

// accept reads a payload only if the filter asks for it.
func (q *searcher) accept(label uint32) (bool, error) {
	if q.exclude.get(label) {
		return false, nil
	}
	if q.matcher.MatchesAll() {
		return true, nil
	}
	t := memoryTarget{q: q, label: label}
	ok := q.matcher.Match(&t)
	return ok && t.err == nil, t.err
}

// amongIDs compares the few vectors that a filter names, from the store.
func (q *searcher) amongIDs(ctx context.Context, ids []point.ID) ([]found, error) {
	var hits []found
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l, ok := q.table.labels[id]
		if !ok || !q.sp.has.get(l) {
			continue
		}
		if ok, err := q.accept(l); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		t := storedTarget{r: q.r, id: id}
		v := t.loadVectors()[q.using]
		if t.err != nil {
			return nil, t.err
		}
		hits = append(hits, q.found(l, q.sp.schema.Distance.Score(q.query, v)))
	}
	q.sort(hits)
	return hits[:min(len(hits), q.limit)], nil
}

func (q *searcher) sort(hits []found) {
	d := q.sp.schema.Distance
	slices.SortFunc(hits, func(a, b found) int {
		switch {
		case d.Better(a.score, b.score):
			return -1
		case d.Better(b.score, a.score):
			return 1
		}
		return a.id.Compare(b.id)
	})
}

// memoryTarget is a point in memory, as filters see it; its payload is read when it is asked for.
type memoryTarget struct {
	q       *searcher
	label   uint32
	payload point.Payload
	loaded  bool
	err     error
}

func (t *memoryTarget) ID() point.ID { return t.q.table.rows[t.label].id }

func (t *memoryTarget) HasVector(name string) bool {
	sp, ok := t.q.r.s.mu.spaces[name]
	return ok && sp.has.get(t.label)
}

func (t *memoryTarget) Payload() point.Payload {
	if t.loaded {
		return t.payload
	}
	t.loaded = true
	stored, ok, err := t.q.r.stored(t.ID())
	if err != nil || !ok {
		t.err = cmp.Or(err, errNoRecord(t.ID()))
		return nil
	}
	t.payload, t.err = stored.Payload(), stored.err
	return t.payload
}

// scored reads what is returned of the hits.
func (r *reader) scored(req SearchRequest, hits []found) ([]Scored, error) {
	sel, err := r.selection(req.Payload, req.Vectors)
	if err != nil {
		return nil, err
	}
	out := make([]Scored, len(hits))
	for i, h := range hits {
		out[i] = Scored{Score: h.score, Record: point.Record{Version: h.version, Point: point.Point{ID: h.id}}}
		if !sel.payload && !sel.vectors {
			continue
		}
		t, ok, err := r.stored(h.id)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errNoRecord(h.id)
		}
		if out[i].Record, err = sel.record(&t); err != nil {
			return nil, err
		}
	}
	return out, nil
}
