package strictmode

import (
	"context"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// lag is how old a measurement of what a collection holds may be.
const lag = time.Second

func (h Held) plus(o Held) Held {
	return Held{Points: h.Points + o.Points, VectorBytes: h.VectorBytes + o.VectorBytes, PayloadBytes: h.PayloadBytes + o.PayloadBytes}
}

// minus returns what is left of h; nothing is below zero.
func (h Held) minus(o Held) Held {
	return Held{
		Points: h.Points - min(o.Points, h.Points), VectorBytes: h.VectorBytes - min(o.VectorBytes, h.VectorBytes),
		PayloadBytes: h.PayloadBytes - min(o.PayloadBytes, h.PayloadBytes),
	}
}

// full refuses to add to what has reached a limit.
func full(c *catalog.Collection, limits *catalog.StrictMode, held, added Held) error {
	for _, l := range []struct {
		field       string
		allowed     *uint64
		held, added uint64
		what        string
	}{
		{"max_points_count", limits.MaxPoints, held.Points, added.Points, "points"},
		{"max_collection_vector_size_bytes", limits.MaxVectorBytes, held.VectorBytes, added.VectorBytes, "bytes of vectors in one copy"},
		{"max_collection_payload_size_bytes", limits.MaxPayloadBytes, held.PayloadBytes, added.PayloadBytes, "bytes of payloads in one copy"},
	} {
		if l.allowed != nil && l.added > 0 && l.held >= *l.allowed {
			return fault.New(fault.Invalid, "strict mode of collection `%s`: it holds %d %s and the request adds to them, %s allows %d: delete points, or raise the limit",
				c.Name, l.held, l.what, l.field, *l.allowed)
		}
	}
	return nil
}

// room refuses to add to a collection that holds as much as it may, and else notes what is added. What was measured a moment ago
// is good enough while that and what was let pass since stay below the limits.
func (k *Keeper) room(ctx context.Context, c *catalog.Collection, limits *catalog.StrictMode, added Held) error {
	if limits.MaxPoints == nil && limits.MaxVectorBytes == nil && limits.MaxPayloadBytes == nil || added == (Held{}) {
		return nil
	}
	a, seen, sure := k.glance(c, limits, added)
	if !sure {
		if err := k.measure(ctx, c.Name, a, seen); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := full(c, limits, a.held, added); err != nil {
		return err
	}
	a.admitted = a.admitted.plus(added)
	return nil
}

// glance tells whether what is known is enough to decide about a request, and which measurement that was.
func (k *Keeper) glance(c *catalog.Collection, limits *catalog.StrictMode, added Held) (a *account, seen uint64, sure bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.opts.Now()
	a = k.accountLocked(c.ID, now)
	sure = a.measured > 0 && now.Sub(a.at) < lag
	if sure && a.admitted != (Held{}) && full(c, limits, a.held, added) == nil {
		sure = full(c, limits, a.held.plus(a.admitted), added) == nil
	}
	return a, a.measured, sure
}

// measure looks at what the collection holds, unless somebody else has since the measurement that was seen. That shards do not tell is
// no reason to refuse anything: the writes to them will tell.
func (k *Keeper) measure(ctx context.Context, name string, a *account, seen uint64) error {
	select {
	case a.gate <- struct{}{}:
		defer func() { <-a.gate }()
	case <-ctx.Done():
		return fault.Wrap(fault.ClassOf(ctx.Err()), ctx.Err(), "nothing was written: what collection `%s` holds was not known in time", name)
	}
	k.mu.Lock()
	before, done := a.admitted, a.measured > seen
	k.mu.Unlock()
	if done {
		return nil
	}
	held, err := k.opts.Measure(ctx, name)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil && a.measured == 0 {
		return nil // nothing is known: the limits stand at what was let pass
	}
	a.measured++
	a.at = k.opts.Now()
	if err == nil && (!held.Partial || a.measured == 1) {
		a.held, a.admitted = held, a.admitted.minus(before)
	}
	return nil
}
