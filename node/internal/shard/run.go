package shard

import (
	"context"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// run is one operation being applied. It reads the points as the stage shows them and changes only its own drafts and
// batch, so that it can fail without a trace, until it spills.
type run struct {
	a         *applier
	index     uint64
	batch     *kv.Batch
	drafts    drafts
	spilled   bool      // a part is stored
	forgotten int       // drafts without content
	refused   error     // the operation's own failure after it may have spilled
	byFilter  bool      // it selects points by a filter
	within    *slot.Set // the only slots that it touches; nil: it is for all
	learns    bool      // it changes what is known of moves, to moves
	moves     *move.State
}

// current returns a point as it is before the operation, or as the operation already changed it.
func (r *run) current(id point.ID) *draft {
	if d, ok := r.drafts.byID[id]; ok {
		return d
	}
	if d, ok := r.a.stage.byID[id]; ok {
		return d.copyOf()
	}
	d := &draft{id: id}
	if l, ok := r.a.s.mu.table.labels[id]; ok { // only Apply changes the table, and this is it
		d.exists, d.refs = true, r.a.s.mu.table.large[l]
	}
	return d
}

// done reports whether the operation changed the point before a crash.
func (r *run) done(d *draft) bool {
	l, ok := r.a.s.mu.table.labels[d.id]
	return ok && d.exists && r.a.s.mu.table.rows.at(l).version == r.index
}

func (r *run) loadPayload(d *draft) error {
	if d.payload.loaded {
		return nil
	}
	if d.raw != nil {
		return d.decodePayload(*d.raw)
	}
	rec, ok, err := r.a.view.Payload(r.a.s.gen, d.id)
	if err != nil {
		return err
	}
	if !ok {
		return errNoRecord(d.id)
	}
	return d.decodePayload(rec)
}

func (r *run) loadVectors(d *draft) error {
	if d.vectors.loaded {
		return nil
	}
	rec, ok, err := r.a.view.Vectors(r.a.s.gen, d.id)
	if err != nil {
		return err
	}
	d.vectors.loaded = true
	if ok {
		d.vectors.version, d.vectors.bytes = rec.Version, len(rec.Body)
		d.vectors.value, err = point.DecodeVectorSet(rec.Body)
	}
	return err
}

// each calls fn with every point that sel names, that exists, and that the operation did not change before a crash.
func (r *run) each(sel point.Selector, fn func(*draft) error) (opErr, fatal error) {
	if sel.IDs != nil {
		return nil, r.eachID(sorted(sel.IDs), nil, fn)
	}
	r.byFilter = true
	f, err := filter.Decode(sel.Filter)
	if err != nil {
		return err, nil
	}
	m, err := filter.Compile(f)
	if err != nil {
		return err, nil
	}
	if ids, ok := f.IDs(); ok {
		return nil, r.eachID(ids, m, fn)
	}
	return nil, r.sweep(f, m, fn)
}

func sorted(ids []point.ID) []point.ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, point.ID.Compare)
	return slices.Compact(ids)
}

func (r *run) eachID(ids []point.ID, m *filter.Matcher, fn func(*draft) error) error {
	for _, id := range ids {
		d := r.current(id)
		if !d.exists || r.done(d) || r.outside(id) {
			continue
		}
		if ok, err := r.matches(d, m); err != nil || !ok {
			if err != nil {
				return err
			}
			continue
		}
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

// sweep visits all points that match, in a view of what was before the operation.
func (r *run) sweep(f *filter.Filter, m *filter.Matcher, fn func(*draft) error) error {
	if err := r.a.flush(); err != nil { // so that the view shows everything
		return err
	}
	if ids, ok := r.a.s.candidates(f); ok {
		return r.eachID(ids, m, fn)
	}
	table := r.a.s.mu.table
	var stored point.LazyPayload
	t := draftTarget{r: r, stored: &stored} // of one point after the other; of those that match, fn may keep the draft
	return r.a.view.ScanPayloads(context.Background(), r.a.s.gen, nil, func(rec kv.Record) (bool, error) {
		if t.d == nil {
			t.d = &draft{}
		}
		*t.d = draft{id: rec.ID, exists: true}
		stored = point.Lazy(rec.Body)
		if !m.Match(&t) || t.err != nil {
			return t.err == nil, t.err
		}
		d, here := t.d, rec
		if r.done(d) || r.outside(d.id) {
			return true, nil
		}
		t.d, d.refs, d.raw = nil, table.large[table.labels[d.id]], &here
		err := fn(d)
		d.raw = nil // its bytes are only valid here
		return err == nil, err
	})
}

// matches asks a filter about a point; a nil one matches.
func (r *run) matches(d *draft, m *filter.Matcher) (bool, error) {
	if m == nil || m.MatchesAll() {
		return true, nil
	}
	t := draftTarget{r: r, d: d}
	ok := m.Match(&t)
	return ok && t.err == nil, t.err
}

// draftTarget shows a draft to a filter.
type draftTarget struct {
	r      *run
	d      *draft
	stored *point.LazyPayload // what a sweep stands at; nil: the draft's payload is loaded
	err    error              // ends the Apply; what Match said then does not matter
}

func (t *draftTarget) ID() point.ID { return t.d.id }

func (t *draftTarget) Member(name string) (any, bool) {
	if t.stored != nil {
		v, ok := t.stored.Member(name)
		if err := t.stored.Err(); err != nil {
			t.err = err
		}
		return v, ok
	}
	if err := t.r.loadPayload(t.d); err != nil {
		t.err = err
		return nil, false
	}
	return t.d.payload.value.Member(name)
}

func (t *draftTarget) HasVector(name string) bool {
	if err := t.r.loadVectors(t.d); err != nil {
		t.err = err
		return false
	}
	return t.d.vectors.value.Has(name)
}

// putPoint replaces a point, or makes it. names are those of all vectors that there can be.
func (r *run) putPoint(d *draft, p point.Payload, v point.VectorSet, names []string) error {
	payload := point.EncodePayload(p)
	var vectors []byte
	if !v.Empty() {
		vectors = point.EncodeVectorSet(v)
	}
	if r.tooLarge(d, payload) || r.tooLarge(d, vectors) {
		return nil
	}
	d.exists = true
	d.payload.set(p, r.index, len(payload))
	d.vectors.set(v, r.index, len(vectors))
	d.touch(names)
	d.refs = r.batch.PutPoint(r.a.s.gen, d.id, r.index, payload, vectors, d.refs)
	return r.changed(d)
}

// putPayload replaces the payload of a point that exists.
func (r *run) putPayload(d *draft, p point.Payload) error {
	body := point.EncodePayload(p)
	if r.tooLarge(d, body) {
		return nil
	}
	d.payload.set(p, r.index, len(body))
	d.refs = r.batch.PutPayload(r.a.s.gen, d.id, r.index, body, d.refs)
	return r.changed(d)
}

// putVectors replaces the vectors of a point that exists; names tells which of them changed.
func (r *run) putVectors(d *draft, v point.VectorSet, names []string) error {
	body := point.EncodeVectorSet(v)
	if r.tooLarge(d, body) {
		return nil
	}
	d.vectors.set(v, r.index, len(body))
	d.touch(names)
	d.refs = r.batch.PutVectors(r.a.s.gen, d.id, r.index, body, d.refs)
	return r.changed(d)
}

func (r *run) remove(d *draft) error {
	r.batch.DeletePoint(r.a.s.gen, d.id, d.refs)
	*d = draft{id: d.id}
	return r.changed(d)
}

// tooLarge leaves a point as it is whose record would not fit into the store: many merges could make one.
func (r *run) tooLarge(d *draft, body []byte) bool {
	if len(body) <= kv.MaxBody {
		return false
	}
	r.refused = fault.New(fault.Invalid, "point %s would take %d bytes, at most %d are allowed", d.id, len(body), kv.MaxBody)
	return true
}

// changed keeps a draft that was put into the batch, and stores the batch once it is large.
func (r *run) changed(d *draft) error {
	r.drafts.add(d)
	if r.batch.Bytes() <= r.a.s.partBytes {
		return nil
	}
	return r.spill()
}

// spill stores what the operation changed so far, after everything before it.
func (r *run) spill() error {
	if err := r.a.flush(); err != nil {
		return err
	}
	if !r.spilled {
		r.batch.SetPending(r.a.s.gen, r.index)
	}
	if err := r.a.commit(r.batch); err != nil {
		return err
	}
	r.spilled, r.batch = true, &kv.Batch{}
	for _, d := range r.drafts.order[r.forgotten:] {
		d.forget(r.a.s.mu.fields)
	}
	r.forgotten = len(r.drafts.order)
	return nil
}
