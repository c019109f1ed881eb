package coordinator

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// stale says that slots have changed their owner since a request was split: it has to be split again by a catalog of at least epoch.
type stale struct {
	epoch uint64
	cause error // what a replica said; nil: the catalog here shows it already
}

// Error tells it to those whose time ends while it is so.
func (s *stale) Error() string {
	text := fmt.Sprintf("slots of the collection have changed their shard in epoch %d", s.epoch)
	if s.cause != nil {
		text += ": " + s.cause.Error()
	}
	return text
}

// staleOf returns what an error says of slots that have changed their owner, nil if it says nothing.
func staleOf(err error) *stale {
	if err == nil {
		return nil
	}
	var old *stale
	if !errors.As(err, &old) {
		return nil
	}
	return old
}

// knows returns the epoch that a refusal hints at, 0 if it hints at none.
func knows(err error) uint64 {
	if !fault.Is(err, fault.StaleEpoch) {
		return 0
	}
	epoch, _ := strconv.ParseUint(fault.Hint(err, move.HintEpoch), 10, 64)
	return epoch
}

// current finds a shard as the catalog has it now. Its slots must be those of the epoch by which a request was split.
func current(state *catalog.State, ref catalog.ShardRef, epoch uint64) (*catalog.Collection, *catalog.Shard, error) {
	col, ok := state.Collections[ref.Collection]
	if !ok {
		return nil, nil, fault.New(fault.NotFound, "the collection was deleted meanwhile")
	}
	sh, ok := col.Shard(ref.Shard)
	if !ok || sh.Epoch > epoch {
		return col, nil, &stale{epoch: col.Epoch}
	}
	return col, sh, nil
}

// newer waits until the catalog here shows an epoch of a collection, and returns the collection.
func (c *Coordinator) newer(ctx context.Context, id catalog.CollectionID, s *stale) (*catalog.Collection, error) {
	for {
		state, changed := c.opts.Metadata.Watch()
		col, ok := state.Collections[id]
		switch {
		case !ok:
			return nil, fault.New(fault.NotFound, "the collection was deleted meanwhile")
		case col.Epoch >= s.epoch:
			return col, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, &fault.Error{Class: fault.ClassOf(ctx.Err()), Text: "this node did not learn in time which shards own which slots now", Cause: s}
		}
	}
}

// consistently makes a read of which every part is of one epoch, and begins it anew when slots change their owner meanwhile. The
// read gets the collection with the shards of the keys alone that it is for.
func consistently[T any](ctx context.Context, c *Coordinator, collection string, o ReadOptions, read func(context.Context, *catalog.Collection) (T, error)) (T, error) {
	var none T
	col, err := c.Lookup(ctx, collection)
	if err != nil {
		return none, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	for {
		part, err := c.route(ctx, col, o.Keys, false, o.fresh())
		if err != nil {
			return none, err
		}
		result, err := read(ctx, part)
		old := staleOf(err)
		if old == nil {
			return result, err
		}
		if col, err = c.newer(ctx, col.ID, old); err != nil {
			return none, err
		}
	}
}

// fresh reports whether a read has to see what was committed before it.
func (o ReadOptions) fresh() bool {
	switch o.Consistency {
	case Quorum, Majority, All, Linearizable:
		return true
	case One, Factor:
	}
	return false
}

// look is how the shards of a collection are looked at.
func (o ReadOptions) look(col *catalog.Collection) shard.Look {
	return shard.Look{Epoch: col.Epoch, Fresh: o.fresh()}
}

// splitAgain cuts what of a part was surely not done into parts of the shards that own its slots now. An operation with a filter stays
// within the slots that it was for: what other shards have done is not done twice.
func splitAgain(was, now *catalog.Collection, left part, keys *Keys, maxBytes int) ([]part, error) {
	now, err := ofKey(was, now, left.shard, keys)
	if err != nil {
		return nil, err
	}
	var parts []part
	add := func(id catalog.ShardID, ops ...[]byte) {
		for i := range parts {
			if parts[i].shard == id {
				parts[i].ops = append(parts[i].ops, ops...)
				return
			}
		}
		parts = append(parts, part{shard: id, ops: ops})
	}
	for _, encoded := range left.ops {
		op, scope, err := scopeOf(was, left.shard, encoded)
		if err != nil {
			return nil, err
		}
		if move.Touched(op) != nil {
			again, err := split(now, op, maxBytes)
			if err != nil {
				return nil, err
			}
			for _, p := range again {
				add(p.shard, p.ops...)
			}
			continue
		}
		for _, sh := range now.Shards {
			owned := sh.Owned()
			switch in := owned.And(scope); in {
			case slot.Set{}:
			case owned:
				add(sh.ID, point.EncodeOp(op))
			default:
				add(sh.ID, move.Encode(move.Within{Slots: in.Ranges(), Op: point.EncodeOp(op)}))
			}
		}
	}
	return parts, nil
}

// scopeOf returns an operation of a part, and the slots that it was for.
func scopeOf(was *catalog.Collection, id catalog.ShardID, encoded []byte) (point.Op, slot.Set, error) {
	var scope slot.Set
	if sh, ok := was.Shard(id); ok {
		scope = sh.Owned()
	}
	if move.IsEntry(encoded) {
		entry, err := move.Decode(encoded)
		if err != nil {
			return nil, scope, err
		}
		within, ok := entry.(move.Within)
		if !ok {
			return nil, scope, fault.New(fault.Internal, "%T is no operation on points", entry)
		}
		scope, encoded = slot.SetOf(within.Slots...), within.Op
	}
	op, err := point.DecodeOp(encoded)
	return op, scope, err
}
