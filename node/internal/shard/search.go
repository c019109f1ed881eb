package shard

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/multi"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/sparse"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Search returns the points nearest to the request's vector, best first; points of equal scores are in the order of
// their ids.
func (s *Shard) Search(ctx context.Context, req SearchRequest) ([]Scored, error) {
	results, err := s.SearchBatch(ctx, []SearchRequest{req})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// SearchBatch answers several searches of one moment; results[i] is for reqs[i].
func (s *Shard) SearchBatch(ctx context.Context, reqs []SearchRequest) ([][]Scored, error) {
	b, err := s.beginSearches(reqs)
	if err != nil {
		return nil, err
	}
	defer b.close()
	results := make([][]Scored, len(reqs))
	for i := range b.searchers {
		if results[i], err = b.searchers[i].answer(ctx); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// searches are searches of one moment.
type searches struct {
	r         *reader
	searchers []searcher
}

func (b *searches) close() {
	for i := range b.searchers {
		b.searchers[i].close()
	}
	b.r.close()
}

// beginSearches takes the moment. Unless it fails, close must follow.
func (s *Shard) beginSearches(reqs []SearchRequest) (b searches, err error) {
	b.searchers = make([]searcher, len(reqs))
	for i := range reqs {
		q := &b.searchers[i]
		q.req = &reqs[i]
		if q.matcher, err = filter.Compile(reqs[i].Filter); err != nil {
			return b, err
		}
		q.key = reqs[i].Filter.Key()
	}
	var look Look
	if len(reqs) > 0 {
		look = reqs[0].Look // of the batch
	}
	b.r, err = s.read(&look, func(r *reader) error {
		for i := range b.searchers {
			b.searchers[i].beginLocked(r)
		}
		return nil
	})
	return b, err
}

// found is a result before its record is read.
type found struct {
	id      point.ID
	version uint64
	score   float32
}

// cutAt drops the hits that are not strictly better than the threshold.
func cutAt(threshold *float32, d vec.Distance, hits []found) []found {
	if threshold == nil {
		return hits
	}
	n := slices.IndexFunc(hits, func(h found) bool { return !d.Better(h.score, *threshold) })
	if n < 0 {
		return hits
	}
	return hits[:n]
}

// searcher is one search of one space.
type searcher struct {
	req     *SearchRequest
	r       *reader
	schema  VectorSchema
	space   *space // that is searched; nil: there is none of that name
	size    int    // how many vectors it has
	dense   dense.Snapshot
	multi   multi.Snapshot
	sparse  sparse.Snapshot
	others  map[string]dense.Snapshot // of all dense vectors, if a filter may ask for them
	query   []float32                 // as it is compared
	explore *exploration              // instead of it
	matcher *filter.Matcher
	key     string // of the filter, "" for none
	plan    payload.Plan
	kept    *dense.Rows // nil: the plan is nobody else's
	ranking ranking
	exclude []uint32
	limit   int
}

// beginLocked takes what the search needs of the memory, while nobody changes it.
func (q *searcher) beginLocked(r *reader) {
	q.r = r
	if q.req.Order != nil || q.req.Sample != nil {
		q.beginRankedLocked(r)
		return
	}
	if q.space = r.spaces[q.req.Using]; q.space == nil {
		return
	}
	q.size = q.space.len()
	for _, id := range q.req.Exclude {
		if l, ok := r.s.mu.table.labels[id]; ok {
			q.exclude = append(q.exclude, l)
		}
	}
	if !q.matcher.MatchesAll() {
		q.plan, q.kept = r.s.plans.plan(q.key, r.s.mu.fields.Moment(), func() payload.Plan { return r.s.planLocked(q.req.Filter) })
		q.others = make(map[string]dense.Snapshot, len(r.spaces))
		for name, other := range r.spaces {
			if other.dense != nil {
				q.others[name] = other.dense.Snapshot()
			}
		}
	}
	q.snapshotLocked()
}

func (q *searcher) snapshotLocked() {
	switch sp := q.space; {
	case sp.multi != nil:
		q.multi = sp.multi.Snapshot()
	case sp.dense != nil:
		q.dense = sp.dense.Snapshot()
	case q.req.Sparse == nil: // which is refused
	case !q.matcher.MatchesAll() && q.plan.Bounded():
		q.sparse = sp.sparse.Begin(*q.req.Sparse, q.plan.Upper)
	default:
		q.sparse = sp.sparse.Begin(*q.req.Sparse, nil)
	}
}

func (q *searcher) close() {
	q.dense.Release()
	for _, other := range q.others {
		other.Release()
	}
}

// answer searches, and reads what is returned of the hits.
func (q *searcher) answer(ctx context.Context) (_ []Scored, err error) {
	if q.req.Order != nil || q.req.Sample != nil {
		return q.answerRanked(ctx)
	}
	if err := q.setQuery(); err != nil {
		return nil, err
	}
	sel, err := q.r.selection(q.req.Payload, q.req.Vectors)
	if err != nil || q.space == nil {
		return nil, err
	}
	q.limit = int(min(q.req.Limit, uint64(math.MaxInt32)))
	hits, err := q.run(ctx)
	if err != nil {
		return nil, err
	}
	return q.r.scored(&sel, cutAt(q.req.ScoreThreshold, q.comparison(), hits))
}

// setQuery brings what the search looks for into the form in which it is compared.
func (q *searcher) setQuery() (err error) {
	if q.schema, err = q.r.schema.vector(q.req.Using); err != nil {
		return err
	}
	if q.req.Explore != nil {
		return q.setExplore()
	}
	if q.req.Sparse != nil {
		return q.schema.checkSparse(*q.req.Sparse)
	}
	q.query, err = q.schema.sought(q.req.Vector)
	return err
}

// comparison is how scores are ordered.
func (q *searcher) comparison() vec.Distance {
	if q.explore != nil {
		return vec.Dot
	}
	return q.schema.Distance
}

// hnswEfMax bounds what hnsw_ef can make a search keep.
const hnswEfMax = 1 << 20

// scanFactor: reading a vector by its id costs about as much as comparing this many in memory.
const scanFactor = 16

func (q *searcher) run(ctx context.Context) ([]found, error) {
	if ids, ok := q.req.Filter.IDs(); ok && len(ids)*scanFactor <= q.size {
		return q.amongIDs(ctx, ids)
	}
	switch q.schema.Kind {
	case Sparse:
		return q.runSparse(ctx)
	case Multi:
		if q.explore != nil {
			return q.runExplore(ctx)
		}
		return q.runMulti(ctx)
	case Dense:
	}
	return q.runDense(ctx)
}

func (q *searcher) runDense(ctx context.Context) ([]found, error) {
	query := dense.Query{Vector: q.query, Limit: q.limit, Before: q.r.rows.before, Params: dense.Params{
		Exact: q.req.Exact, Ef: int(min(q.req.HNSWEf, hnswEfMax)), IndexedOnly: q.req.IndexedOnly, Share: q.req.Share,
		IgnoreCodes: q.req.Quantization.Ignore, Oversampling: q.req.Quantization.Oversampling,
		KeepScores: q.req.Quantization.Rescore != nil && !*q.req.Quantization.Rescore,
	}}
	if x := q.explore; x != nil {
		query.Several = x.asked(q.schema.Distance, x.vectors)
	}
	query.Filter = q.filter()
	nearest, err := q.dense.Search(ctx, query)
	if err != nil {
		return nil, err
	}
	return q.found(len(nearest), func(i int) (uint32, float32) { return nearest[i].Label, nearest[i].Score })
}

func (q *searcher) runSparse(ctx context.Context) ([]found, error) {
	query := sparse.Query{Limit: q.limit, Before: q.r.rows.before}
	if f := q.filter(); f != nil {
		query.Accept = func(label uint32) (bool, error) { return passes(f, label) }
	}
	nearest, err := q.sparse.Search(ctx, query)
	if err != nil {
		return nil, err
	}
	return q.found(len(nearest), func(i int) (uint32, float32) { return nearest[i].Label, nearest[i].Score })
}

func (q *searcher) runMulti(ctx context.Context) ([]found, error) {
	query := multi.Query{Vectors: q.query, Limit: q.limit, Before: q.r.rows.before}
	if f := q.filter(); f != nil {
		query.Accept = func(label uint32) (bool, error) { return passes(f, label) }
		if f.Upper != nil {
			query.Only = f.Upper.Contains
		}
	}
	nearest, err := q.multi.Search(ctx, query)
	if err != nil {
		return nil, err
	}
	return q.found(len(nearest), func(i int) (uint32, float32) { return nearest[i].Label, nearest[i].Score })
}

// passes asks a filter about one label.
func passes(f *dense.Filter, label uint32) (bool, error) {
	switch {
	case f.Lower != nil && f.Lower.Contains(label):
		return true, nil
	case f.Upper != nil && !f.Upper.Contains(label), f.Accept == nil:
		return false, nil
	}
	return f.Accept(label)
}

// found gives results their ids and versions.
func (q *searcher) found(n int, hit func(i int) (label uint32, score float32)) ([]found, error) {
	labels, hits := make([]uint32, n), make([]found, n)
	for i := range hits {
		labels[i], hits[i].score = hit(i)
		hits[i].id = q.r.rows.id(labels[i])
	}
	return hits, q.r.setVersions(labels, hits)
}

// filter says what may be found. Excluded points are few.
func (q *searcher) filter() *dense.Filter {
	switch {
	case q.matcher.MatchesAll() && len(q.exclude) == 0 && q.r.hidden == nil:
		return nil
	case q.matcher.MatchesAll():
		return &dense.Filter{Accept: q.accept, Expected: q.size}
	}
	if len(q.exclude) > 0 {
		q.excludeFromPlan()
	}
	_, about, _ := q.plan.Estimate()
	f := &dense.Filter{
		Lower: q.plan.Lower, Accept: q.accept, Expected: int(about), Rows: q.kept, Values: valuesOf(q.req.Filter, q.r.schema.Values),
	}
	if q.plan.Bounded() {
		f.Upper = q.plan.Upper
	}
	switch {
	case q.r.hidden != nil:
		f.Lower = roaring.New() // no index knows what is hidden
	case q.plan.Exact():
		f.Accept = nil
	}
	return f
}

// excludeFromPlan takes the excluded points out of the plan, which becomes the search's own.
func (q *searcher) excludeFromPlan() {
	if q.kept != nil {
		q.plan, q.kept = q.plan.Clone(), nil
	}
	for _, l := range q.exclude {
		q.plan.Lower.Remove(l)
		if q.plan.Bounded() {
			q.plan.Upper.Remove(l)
		}
	}
}

// setVersions fills in the versions of hits: those in memory, but for points that have changed since the read began.
func (r *reader) setVersions(labels []uint32, hits []found) error {
	var changed []int
	r.s.mu.RLock()
	for i, label := range labels {
		now := r.s.mu.table.rows.at(label)
		if hits[i].version = now.version; now.version > r.applied || now.version == 0 {
			changed = append(changed, i)
		}
	}
	r.s.mu.RUnlock()
	for _, i := range changed {
		t, ok, err := r.stored(hits[i].id)
		if err != nil {
			return err
		}
		if !ok {
			return errNoRecord(hits[i].id)
		}
		if hits[i].version = t.version(); t.err != nil {
			return t.err
		}
	}
	return nil
}

// accept reads a payload only if the filter asks for it.
func (q *searcher) accept(label uint32) (bool, error) {
	if slices.Contains(q.exclude, label) || q.r.hidden != nil && q.r.hides(q.r.rows.id(label)) {
		return false, nil
	}
	if q.matcher.MatchesAll() {
		return true, nil
	}
	t := memoryTarget{q: q, label: label}
	ok := q.matcher.Match(&t)
	err := cmp.Or(t.err, t.stored.err)
	return ok && err == nil, err
}

// amongIDs compares the few vectors that a filter names, from the store.
func (q *searcher) amongIDs(ctx context.Context, ids []point.ID) ([]found, error) {
	var hits []found
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if slices.Contains(q.req.Exclude, id) || q.r.hides(id) {
			continue
		}
		t, ok, err := q.r.stored(id)
		if err != nil {
			return nil, err
		}
		if !ok || !q.matcher.Match(&t) && t.err == nil {
			continue
		}
		score, ok := q.score(t.loadVectors())
		if t.err != nil {
			return nil, t.err
		}
		if ok {
			hits = append(hits, found{id: id, version: t.version(), score: score})
		}
	}
	q.sort(hits)
	return hits[:min(len(hits), q.limit)], nil
}

// score compares the query with a point as the index would.
func (q *searcher) score(stored point.VectorSet) (score float32, ok bool) {
	if !q.schema.fits(q.req.Using, stored) {
		return 0, false
	}
	if q.explore != nil {
		return q.explored(stored.Dense[q.req.Using]), true
	}
	switch q.schema.Kind {
	case Sparse:
		return sparse.Dot(*q.req.Sparse, q.schema.indexedSparse(stored.Sparse[q.req.Using]))
	case Multi:
		return multi.Score(q.schema.Distance, q.schema.Size, q.query, q.schema.indexed(stored.Dense[q.req.Using])), true
	case Dense:
	}
	return dense.Score(q.schema.Datatype, q.schema.Distance, q.query, stored.Dense[q.req.Using]), true
}

func (q *searcher) sort(hits []found) {
	d := q.comparison()
	slices.SortFunc(hits, func(a, b found) int {
		return cmp.Or(d.Compare(a.score, b.score), a.id.Compare(b.id))
	})
}

// memoryTarget is a point in memory, as filters see it; its payload is read when it is asked for.
type memoryTarget struct {
	q      *searcher
	label  uint32
	stored storedTarget
	loaded bool
	err    error
}

func (t *memoryTarget) ID() point.ID { return t.q.r.rows.id(t.label) }

func (t *memoryTarget) HasVector(name string) bool {
	if vectors, ok := t.q.others[name]; ok {
		return vectors.Has(t.label)
	}
	if _, ok := t.q.r.schema.Vectors[name]; !ok {
		return false
	}
	return t.load() && t.stored.HasVector(name)
}

func (t *memoryTarget) Member(name string) (any, bool) {
	if !t.load() {
		return nil, false
	}
	return t.stored.Member(name)
}

// load begins to read the point. What goes wrong with that is kept.
func (t *memoryTarget) load() bool {
	if !t.loaded {
		t.loaded = true
		var ok bool
		if t.stored, ok, t.err = t.q.r.stored(t.ID()); t.err == nil && !ok {
			t.err = errNoRecord(t.ID())
		}
	}
	return t.err == nil
}

// scored reads what is returned of the hits.
func (r *reader) scored(sel *selection, hits []found) ([]Scored, error) {
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
