package shard

import (
	"context"
	"encoding/binary"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cespare/xxhash/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/best"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// ranking is a read of points in another order than that of their distances or ids.
type ranking struct {
	pairs   []payload.Pair  // in any order, and perhaps more than are wanted
	ask     *roaring.Bitmap // labels whose ranks are not known yet
	indexed bool            // pairs and ask are all; else the payloads of all points have to be asked
}

// ranked is a point by its rank.
type ranked struct {
	rank int64
	id   point.ID
}

// ErrNotOrdered words the refusal to order by a field without an index for that.
func ErrNotOrdered(path string) error {
	return fault.New(fault.Invalid, "No range index for `order_by` key: `%.255s`. Please create one to use `order_by`: an integer, float or datetime index", path)
}

// beginRankedLocked takes what an ordered read or a sample needs of the memory, while nobody changes it.
func (q *searcher) beginRankedLocked(r *reader) {
	var within *roaring.Bitmap // nil: all
	limit := int(min(q.req.Limit, 1<<31-1))
	if !q.matcher.MatchesAll() {
		q.plan = r.s.planLocked(q.req.Filter)
		within = q.plan.Upper
		if !q.plan.Exact() {
			limit = 0
		}
	}
	if len(q.req.Exclude) > 0 || r.hidden != nil {
		limit = 0
	}
	if q.req.Order != nil {
		q.ranking.pairs, q.ranking.ask, q.ranking.indexed = r.s.mu.fields.Ordered(*q.req.Order, within, limit)
		return
	}
	if within == nil {
		within = r.s.mu.fields.Labels()
	}
	q.ranking.ask = within
}

// answerRanked returns the first points by rank.
func (q *searcher) answerRanked(ctx context.Context) ([]Scored, error) {
	sel, err := q.r.selection(q.req.Payload, q.req.Vectors)
	if err != nil {
		return nil, err
	}
	var field payload.Field
	if o := q.req.Order; o != nil {
		if field = q.r.schema.Fields[o.Path]; !field.Ordered() {
			return nil, ErrNotOrdered(o.Path)
		}
		if _, _, err := field.Bounds(*o); err != nil {
			return nil, err
		}
	}
	h, err := q.candidates(ctx, field)
	if err != nil {
		return nil, err
	}
	excluded := make(map[point.ID]bool, len(q.req.Exclude))
	for _, id := range q.req.Exclude {
		excluded[id] = true
	}
	var out []Scored
	for c, ok := h.Next(); ok && uint64(len(out)) < q.req.Limit; c, ok = h.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if excluded[c.id] || q.r.hides(c.id) {
			continue
		}
		t, ok, err := q.r.stored(c.id)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errNoRecord(c.id)
		}
		if !q.matcher.Match(&t) && t.err == nil {
			continue
		}
		record, err := sel.record(&t)
		if err != nil {
			return nil, err
		}
		out = append(out, Scored{Record: record, Score: 1, Rank: c.rank})
	}
	return out, nil
}

// candidates returns the points that may be wanted such that they come by rank, equal ones by id.
func (q *searcher) candidates(ctx context.Context, field payload.Field) (*best.Queue[ranked], error) {
	before := func(a, b ranked) bool {
		if a.rank != b.rank {
			return (a.rank < b.rank) != (q.req.Order != nil && q.req.Order.Desc)
		}
		return a.id.Compare(b.id) < 0
	}
	var all []ranked
	if q.req.Order == nil {
		q.ranking.ask.Iterate(func(l uint32) bool {
			id := q.r.rows.id(l)
			all = append(all, ranked{drawn(*q.req.Sample, id), id})
			return true
		})
		return best.NewQueue(all, before), nil
	}
	for _, p := range q.ranking.pairs {
		all = append(all, ranked{p.Key, q.r.rows.id(p.Label)})
	}
	if err := q.askValues(ctx, field, &all); err != nil {
		return nil, err
	}
	return best.NewQueue(all, before), nil
}

// askValues adds the values of the points that the index does not hold exactly or, without an index, of those that match.
func (q *searcher) askValues(ctx context.Context, field payload.Field, all *[]ranked) error {
	path, err := point.ParsePath(q.req.Order.Path)
	if err != nil {
		return err
	}
	from, to, err := field.Bounds(*q.req.Order)
	if err != nil {
		return err
	}
	add := func(t *storedTarget) error {
		for _, key := range field.Keys(path, t.Payload()) {
			if key >= from && key <= to {
				*all = append(*all, ranked{key, t.id})
			}
		}
		return t.err
	}
	if q.ranking.indexed {
		for _, l := range q.ranking.ask.ToArray() {
			if err := ctx.Err(); err != nil {
				return err
			}
			t, ok, err := q.r.stored(q.r.rows.id(l))
			if err != nil {
				return err
			}
			if !ok {
				return errNoRecord(t.id)
			}
			if err := add(&t); err != nil {
				return err
			}
		}
		return nil
	}
	var t storedTarget
	return q.r.view.ScanPayloads(ctx, q.r.s.gen, nil, func(rec kv.Record) (bool, error) {
		t = q.r.target(rec)
		if !q.matcher.Match(&t) || t.err != nil {
			return t.err == nil, t.err
		}
		return true, add(&t)
	})
}

// drawn is a number for a point that has nothing to do with anything but a seed.
func drawn(seed uint64, id point.ID) int64 {
	var buf [32]byte
	b := id.AppendKey(binary.BigEndian.AppendUint64(buf[:0], seed))
	return int64(xxhash.Sum64(b))
}
