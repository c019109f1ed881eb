package shard

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// reader is a read under way: a view of the store and what the memory was when it began. It uses both without a lock,
// however long it takes.
type reader struct {
	s       *Shard
	view    *kv.View
	schema  Schema
	spaces  map[string]*space
	rows    rows
	seq     uint64
	applied uint64
	hidden  *slot.Set // whose points it does not see; nil: it sees all
}

// read begins a read. look, if not nil, has to be granted. locked, if not nil, sees the memory that belongs to the view. close
// must follow.
func (s *Shard) read(look *Look, locked func(*reader) error) (*reader, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.readLocked(look, locked)
}

func (s *Shard) readLocked(look *Look, locked func(*reader) error) (*reader, error) {
	if err := s.stateLocked(); err != nil {
		return nil, err
	}
	if s.mu.pending != 0 {
		return nil, fault.New(fault.Unavailable,
			"this copy of the shard is redoing operation %d, which a crash interrupted; try another copy, or again", s.mu.pending)
	}
	r := &reader{
		s: s, schema: s.mu.schema, spaces: s.mu.spaces, rows: s.mu.table.rows, seq: s.mu.seq, applied: s.mu.applied,
	}
	if look != nil {
		if err := s.lookLocked(r, *look); err != nil {
			return nil, err
		}
	}
	if s.mu.pinned != nil {
		r.view = s.mu.pinned.Share()
	} else {
		v, err := s.store.View()
		if err != nil {
			return nil, err
		}
		r.view = v
	}
	s.readers.Add(1)
	s.epochs.enter(r.seq)
	if locked != nil {
		if err := locked(r); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

func (r *reader) close() {
	r.view.Close()
	r.s.epochs.leave(r.seq)
	r.s.readers.Done()
}

// Get returns points by id, in the order asked for. Absent ones are left out.
func (s *Shard) Get(ctx context.Context, req GetRequest) ([]point.Record, error) {
	r, err := s.read(&req.Look, nil)
	if err != nil {
		return nil, err
	}
	defer r.close()
	sel, err := r.selection(req.Payload, req.Vectors)
	if err != nil {
		return nil, err
	}
	var records []point.Record
	for _, id := range req.IDs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rec, ok, err := r.stored(id)
		if err != nil {
			return nil, err
		}
		if !ok || r.hides(id) {
			continue
		}
		out, err := sel.record(&rec)
		if err != nil {
			return nil, err
		}
		records = append(records, out)
	}
	return records, nil
}

// stored begins the target of a point by its id; ok tells whether there is one.
func (r *reader) stored(id point.ID) (t storedTarget, ok bool, err error) {
	rec, ok, err := r.view.Payload(r.s.gen, id)
	t = r.target(rec)
	t.id = id // also of a point that has no record
	return t, ok, err
}

// target is the point of a payload record, whose bytes stay as they are for as long as it is used.
func (r *reader) target(rec kv.Record) storedTarget {
	return storedTarget{r: r, id: rec.ID, raw: rec, payload: point.Lazy(rec.Body)}
}

// Scroll returns the first Limit points from an id on that match, in the order of their ids.
func (s *Shard) Scroll(ctx context.Context, req ScrollRequest) ([]point.Record, error) {
	m, err := s.matching(req.Look, req.Filter)
	if err != nil {
		return nil, err
	}
	defer m.r.close()
	sel, err := m.r.selection(req.Payload, req.Vectors)
	if err != nil {
		return nil, err
	}
	var records []point.Record
	if req.Limit == 0 {
		return nil, nil
	}
	err = m.each(ctx, req.From, req.Limit, func(t *storedTarget) (bool, error) {
		out, err := sel.record(t)
		records = append(records, out)
		return uint64(len(records)) < req.Limit, err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Count counts the points that match.
func (s *Shard) Count(ctx context.Context, req CountRequest) (uint64, error) {
	m, err := s.matching(req.Look, req.Filter)
	if err != nil {
		return 0, err
	}
	defer m.r.close()
	if m.matcher.MatchesAll() {
		return m.plan.Total, nil
	}
	n := m.plan.Lower.GetCardinality()
	if m.plan.Exact() && m.r.hidden == nil {
		return n, nil
	}
	if open := m.plan.Open(); m.r.hidden == nil && byIndex(&open, 0) { // only what the indexes leave open is read
		m.plan = open
	} else {
		n = 0
	}
	err = m.each(ctx, nil, 0, func(*storedTarget) (bool, error) {
		n++
		return true, nil
	})
	return n, err
}

// matching is a filter about to be asked of the points of a moment.
type matching struct {
	r       *reader
	filter  *filter.Filter
	matcher *filter.Matcher
	plan    payload.Plan
}

// matching takes the moment. The reader must be closed.
func (s *Shard) matching(look Look, f *filter.Filter) (m matching, err error) {
	m.filter = f
	if m.matcher, err = filter.Compile(f); err != nil {
		return m, err
	}
	m.r, err = s.read(&look, func(*reader) error {
		if m.matcher.MatchesAll() {
			m.plan = payload.Plan{Lower: roaring.New(), Total: uint64(len(s.mu.table.labels)) - s.mu.hidden}
		} else {
			m.plan = s.planLocked(f)
		}
		return nil
	})
	return m, err
}

// each calls fn with the points that match, from an id on, in the order of ids, until it returns false: after about
// wanted points (0: it wants all).
func (m *matching) each(ctx context.Context, from *point.ID, wanted uint64, fn func(*storedTarget) (bool, error)) error {
	visit := func(t *storedTarget) (bool, error) {
		if m.r.hides(t.id) {
			return true, nil
		}
		if !m.matcher.Match(t) || t.err != nil {
			return t.err == nil, t.err
		}
		return fn(t)
	}
	if ids, ok := m.filter.IDs(); ok && !m.plan.Bounded() {
		return m.r.matchingIDs(ctx, listed(ids), from, visit)
	}
	if byIndex(&m.plan, wanted) {
		return m.r.matchingIDs(ctx, m.r.inOrder(m.plan.Upper, from).Next, from, visit)
	}
	var t storedTarget // of one point after the other: nobody keeps it
	return m.r.view.ScanPayloads(ctx, m.r.s.gen, from, func(rec kv.Record) (bool, error) {
		t = m.r.target(rec)
		return visit(&t)
	})
}

// listed gives the elements of a list one by one.
func listed[T any](list []T) func() (T, bool) {
	return func() (v T, ok bool) {
		if len(list) == 0 {
			return v, false
		}
		v, list = list[0], list[1:]
		return v, true
	}
}

// matchingIDs visits ids, which ascend, instead of all points.
func (r *reader) matchingIDs(ctx context.Context, next func() (point.ID, bool), from *point.ID, visit func(*storedTarget) (bool, error)) error {
	for id, ok := next(); ok; id, ok = next() {
		if from != nil && id.Compare(*from) < 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		t, ok, err := r.stored(id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if more, err := visit(&t); err != nil || !more {
			return err
		}
	}
	return nil
}

// storedTarget is a point of a view, as filters see it. It decodes what it is asked for, once.
type storedTarget struct {
	r   *reader
	id  point.ID
	raw kv.Record // payload record

	payload       point.LazyPayload
	vectors       point.VectorSet
	vectorVersion uint64
	vectorsLoaded bool
	err           error // of the disk, or damage; what Match said then does not matter
}

func (t *storedTarget) ID() point.ID { return t.id }

// Payload returns all of it.
func (t *storedTarget) Payload() point.Payload {
	p := t.payload.Value()
	t.damaged(t.payload.Err())
	return p
}

// Member implements filter.Target.
func (t *storedTarget) Member(name string) (any, bool) {
	v, ok := t.payload.Member(name)
	t.damaged(t.payload.Err())
	return v, ok
}

func (t *storedTarget) damaged(err error) {
	if t.err == nil {
		t.err = err
	}
}

func (t *storedTarget) HasVector(name string) bool {
	return t.r.schema.fits(name, t.loadVectors())
}

func (t *storedTarget) loadVectors() point.VectorSet {
	if t.vectorsLoaded || t.err != nil {
		return t.vectors
	}
	t.vectorsLoaded = true
	rec, ok, err := t.r.view.Vectors(t.r.s.gen, t.id)
	if t.err = err; ok {
		t.vectorVersion = rec.Version
		t.vectors, t.err = point.DecodeVectorSet(rec.Body)
	}
	return t.vectors
}

// version is the index of the operation that last changed the point. The memory knows it without reading the vectors,
// but it may be ahead of the view.
func (t *storedTarget) version() uint64 {
	if !t.vectorsLoaded && t.err == nil {
		rec, ok, err := t.r.view.Vectors(t.r.s.gen, t.id)
		if t.err = err; ok {
			t.vectorVersion = rec.Version
		}
	}
	return max(t.raw.Version, t.vectorVersion)
}
