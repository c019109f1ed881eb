package shard

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// FacetRequest asks how many points have each of the values at a path, or, with Sparse, how many vectors of that name have each
// of the Indices.
type FacetRequest struct {
	Look
	Path   string
	Filter *filter.Filter
	Exact  bool // every value counts; else those with the most points

	Sparse  *string
	Indices []uint32
}

// Limits of the values that a facet returns.
const (
	MaxFacets      = 1 << 16 // of the most points; of one that is not exact
	MaxExactFacets = 1 << 20
)

// ErrNotFaceted words the refusal to count the values of a field without an index for that.
func ErrNotFaceted(path string) error {
	return fault.New(fault.Invalid, "No facet index for key: `%.255s`. Please create one: a keyword, integer, uuid or bool index", path)
}

// facets is a facet under way.
type facets struct {
	matching
	field payload.Field
	path  point.Path
	found []payload.Facet // what the index knows
	asked map[any]uint64  // what payloads said
}

// Facet counts the values at a path over the points that match.
func (s *Shard) Facet(ctx context.Context, req FacetRequest) ([]payload.Facet, error) {
	if req.Sparse != nil {
		return s.frequencies(req)
	}
	f := facets{asked: map[any]uint64{}}
	var err error
	if f.path, err = point.ParsePath(req.Path); err != nil {
		return nil, err
	}
	if f.matcher, err = filter.Compile(req.Filter); err != nil {
		return nil, err
	}
	f.filter = req.Filter
	var ask *roaring.Bitmap // labels whose payloads have to be asked
	f.r, err = s.read(&req.Look, func(r *reader) error {
		ask = f.beginLocked(r, req.Path)
		return nil
	})
	if err != nil {
		return nil, err
	}
	defer f.r.close()
	if f.field = f.r.schema.Fields[req.Path]; !f.field.Faceted() {
		return nil, ErrNotFaceted(req.Path)
	}
	if err := f.askPayloads(ctx, ask); err != nil {
		return nil, err
	}
	out := f.added()
	slices.SortFunc(out, payload.CompareFacets)
	switch {
	case !req.Exact:
		out = out[:min(len(out), MaxFacets)]
	case len(out) > MaxExactFacets:
		return nil, fault.New(fault.Exhausted, "%q has %d different values, an exact facet can have %d", req.Path, len(out), MaxExactFacets)
	}
	return out, nil
}

// added adds up what is known.
func (f *facets) added() []payload.Facet {
	for i := range f.found {
		if n, ok := f.asked[f.found[i].Value]; ok {
			f.found[i].Count += n
			delete(f.asked, f.found[i].Value)
		}
	}
	for v, n := range f.asked {
		f.found = append(f.found, payload.Facet{Value: v, Count: n})
	}
	return f.found
}

// beginLocked counts what the indexes know, while nobody changes them, and returns the labels of which they do not know
// everything; nil means that every payload has to be asked.
func (f *facets) beginLocked(r *reader, path string) (ask *roaring.Bitmap) {
	if r.hidden != nil { // the indexes know of points that are not shown
		return nil
	}
	s := r.s
	var within *roaring.Bitmap // nil: all
	if !f.matcher.MatchesAll() {
		if f.plan = s.planLocked(f.filter); !f.plan.Bounded() {
			return nil
		}
		within = f.plan.Lower
	}
	unsure, ok := s.mu.fields.Facets(path, within, func(c payload.Facet) { f.found = append(f.found, c) })
	if !ok {
		return nil
	}
	if open := f.plan.Open(); within != nil && !f.plan.Exact() {
		unsure.Or(open.Upper)
	}
	return unsure
}

func (f *facets) askPayloads(ctx context.Context, ask *roaring.Bitmap) error {
	visit := func(t *storedTarget) error {
		if f.r.hides(t.id) || !f.matcher.Match(t) || t.err != nil {
			return t.err
		}
		for _, v := range f.field.Values(f.path, t.Payload()) {
			f.asked[v]++
		}
		return t.err
	}
	if ask == nil {
		f.found = nil
		var t storedTarget
		return f.r.view.ScanPayloads(ctx, f.r.s.gen, nil, func(rec kv.Record) (bool, error) {
			t = f.r.target(rec)
			err := visit(&t)
			return err == nil, err
		})
	}
	for _, label := range ask.ToArray() {
		if err := ctx.Err(); err != nil {
			return err
		}
		id := f.r.rows.id(label)
		t, ok, err := f.r.stored(id)
		if err != nil {
			return err
		}
		if !ok {
			return errNoRecord(id)
		}
		if err := visit(&t); err != nil {
			return err
		}
	}
	return nil
}
