package strictmode

import (
	"context"

	"golang.org/x/time/rate"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Write is what a request changes.
type Write struct {
	Timeout *uint64 // seconds; nil: the request does not say
	Ops     []point.Op
}

// Write refuses a write that asks for more than the collection allows, or adds to one that holds as much as it may.
func (k *Keeper) Write(ctx context.Context, c *catalog.Collection, w Write) error {
	limits := c.Config.Limits()
	if limits == nil {
		return nil
	}
	if err := checkTimeout(c, limits, w.Timeout); err != nil {
		return err
	}
	var cost uint64
	var added Held
	for _, op := range w.Ops {
		n, err := check(c, limits, op)
		if err != nil {
			return err
		}
		cost += n
		added = added.plus(weight(op))
	}
	if err := k.spend(c, "write_rate_limit", limits.WriteRate, cost, func(a *account) **rate.Limiter { return &a.write }); err != nil {
		return err
	}
	return k.room(ctx, c, limits, added)
}

// check looks at one operation and returns what it costs: one for each point that it names, and at least one; if it finds its points
// by a filter, one more for each condition.
func check(c *catalog.Collection, limits *catalog.StrictMode, op point.Op) (cost uint64, err error) {
	switch op := op.(type) {
	case point.Upsert:
		return checkPoints(c, limits, op.Points, op.Condition)
	case point.UpdateVectors:
		return checkPoints(c, limits, op.Points, op.Condition)
	case point.SetPayload:
		return selected(c, limits, op.Selector)
	case point.OverwritePayload:
		return selected(c, limits, op.Selector)
	case point.DeletePayload:
		return selected(c, limits, op.Selector)
	case point.ClearPayload:
		return selected(c, limits, op.Selector)
	case point.DeleteVectors:
		return selected(c, limits, op.Selector)
	case point.Delete:
		return selected(c, limits, op.Selector)
	}
	return 1, nil
}

func selected(c *catalog.Collection, limits *catalog.StrictMode, s point.Selector) (uint64, error) {
	if s.IDs != nil {
		return uint64(max(len(s.IDs), 1)), nil
	}
	conditions, err := checkEncoded(c, limits, s.Filter)
	return 1 + conditions, err
}

func checkEncoded(c *catalog.Collection, limits *catalog.StrictMode, encoded []byte) (conditions uint64, err error) {
	f, err := filter.Decode(encoded)
	if err != nil {
		return 0, err
	}
	return checkFilter(c, f, "unindexed_filtering_update", limits.UnindexedUpdate)
}

func checkPoints(c *catalog.Collection, limits *catalog.StrictMode, points []point.Point, condition []byte) (uint64, error) {
	cost := uint64(len(points))
	if err := over(c, "upsert_max_batchsize", cost, limits.MaxUpsertBatch, "send fewer points at once"); err != nil {
		return 0, err
	}
	for i := range points {
		if err := checkVectors(c, limits, &points[i]); err != nil {
			return 0, err
		}
	}
	conditions, err := checkEncoded(c, limits, condition)
	return max(cost, 1) + conditions, err
}

func checkVectors(c *catalog.Collection, limits *catalog.StrictMode, p *point.Point) error {
	for name, allowed := range limits.MaxMultivectors {
		size := c.Config.Vectors[name].Size
		if n := uint64(len(p.Vectors[name])) / max(size, 1); n > allowed {
			return exceeds(c, "max_vectors of multivector `"+name+"`", n, allowed, "give point "+p.ID.String()+" fewer vectors of that name")
		}
	}
	for name, allowed := range limits.MaxSparseLength {
		if n := uint64(len(p.Sparse[name].Indices)); n > allowed {
			return exceeds(c, "max_length of sparse vector `"+name+"`", n, allowed, "leave the smallest weights of point "+p.ID.String()+" out")
		}
	}
	return nil
}

// weight is about how much an operation adds.
func weight(op point.Op) (h Held) {
	switch op := op.(type) {
	case point.Upsert:
		if op.Mode != point.UpdateOnly {
			h.Points = uint64(len(op.Points))
		}
		for i := range op.Points {
			h = h.plus(contents(&op.Points[i]))
		}
	case point.UpdateVectors:
		for i := range op.Points {
			h = h.plus(contents(&op.Points[i]))
		}
	case point.SetPayload:
		h.PayloadBytes = size(map[string]any(op.Payload)) * uint64(max(len(op.IDs), 1))
	case point.OverwritePayload:
		h.PayloadBytes = size(map[string]any(op.Payload)) * uint64(max(len(op.IDs), 1))
	}
	return h
}

func contents(p *point.Point) (h Held) {
	for _, v := range p.Vectors {
		h.VectorBytes += 4 * uint64(len(v))
	}
	for _, s := range p.Sparse {
		h.VectorBytes += 8 * uint64(len(s.Indices))
	}
	h.PayloadBytes = size(map[string]any(p.Payload))
	return h
}

// size is about how many bytes a payload takes. Its depth was bounded when it was read.
func size(v any) (n uint64) {
	switch v := v.(type) {
	case string:
		return uint64(len(v)) + 2
	case []any:
		for _, e := range v {
			n += size(e)
		}
		return n + 2
	case map[string]any:
		for key, e := range v {
			n += uint64(len(key)) + 2 + size(e)
		}
		return n
	}
	return 8
}
