package coordinator

import (
	"context"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// readRounds is how often the replicas of a shard are tried in turn before a read fails.
const readRounds = 3

// fanOut reads shards of a collection side by side; results[i] is of shards[i]. The first failure ends the others: part
// of an answer is none.
func fanOut[T any](ctx context.Context, c *Coordinator, col *catalog.Collection, shards []*catalog.Shard, read func(context.Context, source) (T, error)) ([]T, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	results, errs := make([]T, len(shards)), make([]error, len(shards))
	c.each(len(shards), func(i int) {
		ref := catalog.ShardRef{Collection: col.ID, Shard: shards[i].ID}
		if results[i], errs[i] = readShard(ctx, c, ref, read); errs[i] != nil {
			cancel()
		}
	})
	return results, cause(errs, func(i int) catalog.ShardID { return shards[i].ID })
}

// cause returns the failure that came first: the others were canceled because of it.
func cause(errs []error, shardOf func(int) catalog.ShardID) error {
	var found error
	for i, err := range errs {
		if err == nil {
			continue
		}
		if !fault.Is(err, fault.Canceled) {
			return ofShard(err, shardOf(i))
		}
		if found == nil {
			found = ofShard(err, shardOf(i))
		}
	}
	return found
}

// readShard asks the shard's replicas one after the other, the best first, until one answers. When all have failed it
// pauses and starts over with what the catalog says then, a few times.
func readShard[T any](ctx context.Context, c *Coordinator, ref catalog.ShardRef, read func(context.Context, source) (T, error)) (T, error) {
	var none T
	var last error
	pause := c.opts.RetryMin
	for round := range readRounds {
		state, changed := c.opts.Metadata.Watch()
		_, sh, ok := state.Shard(ref)
		if !ok {
			return none, fault.New(fault.NotFound, "the collection was deleted meanwhile")
		}
		candidates := c.candidates(sh)
		if len(candidates) == 0 {
			return none, fault.New(fault.Unavailable, "none of its active replicas can be read: %s", c.describePeers(state, sh.Active()))
		}
		for _, id := range candidates {
			result, err := read(ctx, source{c: c, peer: id, ref: ref, minIndex: c.seen.min(ref, sh)})
			if err == nil || !elsewhere(err) {
				return result, err
			}
			if ctx.Err() != nil {
				return none, &fault.Error{Class: fault.ClassOf(ctx.Err()), Text: "the time was over before a replica answered", Cause: err}
			}
			last = annotate(err, "%s", peerName(state, id))
		}
		if round < readRounds-1 {
			wake(ctx, changed, pause)
			pause = min(pause*4, c.opts.RetryMax)
		}
	}
	return none, annotate(last, "every active replica failed, the last one on")
}

// candidates orders the active replicas that can be read: this node's, then those whose peer is alive and stays, in
// turn, then those whose peer is shutting down.
func (c *Coordinator) candidates(sh *catalog.Shard) []catalog.PeerID {
	var own, alive, leaving []catalog.PeerID
	for _, id := range sh.Active() {
		switch {
		case id == c.opts.Self:
			own = append(own, id)
		case !c.opts.Liveness.Alive(id):
		case c.opts.Liveness.Draining(id):
			leaving = append(leaving, id)
		default:
			alive = append(alive, id)
		}
	}
	if n := uint64(len(alive)); n > 1 {
		by := int(c.turn.next() % n)
		alive = append(slices.Clone(alive[by:]), alive[:by]...)
	}
	return slices.Concat(own, alive, leaving)
}

// elsewhere reports whether another replica might answer what this one did not: everything but what is wrong with the
// request itself, or with the caller's patience.
func elsewhere(err error) bool {
	switch fault.ClassOf(err) {
	case fault.Invalid, fault.Unsupported, fault.Unauthenticated, fault.Denied:
		return false
	default:
		return true
	}
}
