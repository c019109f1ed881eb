package coordinator

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// part is what one shard gets of a write: operations to be appended one after the other.
type part struct {
	shard catalog.ShardID
	ops   [][]byte // point.EncodeOp
}

// splitKeys is split for each shard key of a collection: each gets the whole operation.
func splitKeys(col *catalog.Collection, op point.Op, maxBytes int) ([]part, error) {
	var all []part
	for _, one := range byKey(col) {
		parts, err := split(one, op, maxBytes)
		if err != nil {
			return nil, err
		}
		all = append(all, parts...)
	}
	return all, nil
}

// split cuts a checked operation into the parts of the shards. An operation on ids or points goes to the shards that
// own them, in the given order within each; one on a filter goes to all shards.
func split(col *catalog.Collection, op point.Op, maxBytes int) ([]part, error) {
	switch op := op.(type) {
	case point.Upsert:
		return splitPoints(col, op.Points, maxBytes, func(points []point.Point) point.Op {
			return point.Upsert{Points: points, Mode: op.Mode, Condition: op.Condition}
		})
	case point.UpdateVectors:
		return splitPoints(col, op.Points, maxBytes, func(points []point.Point) point.Op {
			return point.UpdateVectors{Points: points, Condition: op.Condition}
		})
	case point.Delete:
		return splitSelector(col, op.Selector, func(s point.Selector) point.Op { return point.Delete{Selector: s} })
	case point.SetPayload:
		return splitSelector(col, op.Selector, func(s point.Selector) point.Op { op.Selector = s; return op })
	case point.OverwritePayload:
		return splitSelector(col, op.Selector, func(s point.Selector) point.Op { op.Selector = s; return op })
	case point.DeletePayload:
		return splitSelector(col, op.Selector, func(s point.Selector) point.Op { op.Selector = s; return op })
	case point.ClearPayload:
		return splitSelector(col, op.Selector, func(s point.Selector) point.Op { return point.ClearPayload{Selector: s} })
	case point.DeleteVectors:
		return splitSelector(col, op.Selector, func(s point.Selector) point.Op { op.Selector = s; return op })
	}
	return nil, fault.New(fault.Unsupported, "operation %T", op)
}

func splitSelector(col *catalog.Collection, sel point.Selector, with func(point.Selector) point.Op) ([]part, error) {
	if sel.IDs == nil {
		op := point.EncodeOp(with(sel))
		owners := col.Owners()
		parts := make([]part, len(owners))
		for i, sh := range owners {
			parts[i] = part{shard: sh.ID, ops: [][]byte{op}}
		}
		return parts, nil
	}
	groups, err := group(col, sel.IDs, func(id *point.ID) point.ID { return *id })
	if err != nil {
		return nil, err
	}
	var parts []part
	for i, ids := range groups {
		if len(ids) > 0 {
			op := point.EncodeOp(with(point.Selector{IDs: ids}))
			parts = append(parts, part{shard: col.Shards[i].ID, ops: [][]byte{op}})
		}
	}
	return parts, nil
}

func splitPoints(col *catalog.Collection, points []point.Point, maxBytes int, with func([]point.Point) point.Op) ([]part, error) {
	groups, err := group(col, points, func(p *point.Point) point.ID { return p.ID })
	if err != nil {
		return nil, err
	}
	var parts []part
	for i, g := range groups {
		if len(g) > 0 {
			parts = append(parts, part{shard: col.Shards[i].ID, ops: encodeBounded(g, maxBytes, with)})
		}
	}
	return parts, nil
}

// encodeBounded halves a batch until each operation fits, or is a single point (which the primary may refuse).
func encodeBounded(points []point.Point, maxBytes int, with func([]point.Point) point.Op) [][]byte {
	op := point.EncodeOp(with(points))
	if len(op) <= maxBytes || len(points) == 1 {
		return [][]byte{op}
	}
	half := len(points) / 2
	return append(encodeBounded(points[:half], maxBytes, with), encodeBounded(points[half:], maxBytes, with)...)
}

// few is up to how many comparisons are made to look for items one by one: a table of all slots costs 16 KiB and as much time as that.
const few = 1024

// finder returns what tells the owner of a slot, for so many questions.
func finder(owners [][]slot.Range, questions int) (func(slot.Slot) (int, bool), error) {
	ranges := 0
	for _, of := range owners {
		ranges += len(of)
	}
	if questions*ranges <= few {
		return func(s slot.Slot) (int, bool) { return slot.OwnerAmong(owners, s) }, nil
	}
	table, err := slot.NewTable(owners)
	if err != nil {
		return nil, err
	}
	return table.Owner, nil
}

// group sorts items by the position of their shard and keeps their order within each.
func group[T any](col *catalog.Collection, items []T, idOf func(*T) point.ID) ([][]T, error) {
	if len(col.Shards) == 1 {
		return [][]T{items}, nil
	}
	owned := make([][]slot.Range, len(col.Shards))
	for i, sh := range col.Shards {
		owned[i] = sh.Slots
	}
	find, err := finder(owned, len(items))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "slots of collection %q", col.Name)
	}
	groups := make([][]T, len(col.Shards))
	for i := range items {
		at, ok := find(slot.Of(idOf(&items[i])))
		if !ok {
			return nil, fault.New(fault.Unavailable, "point %s belongs to no shard of collection %q", idOf(&items[i]), col.Name)
		}
		groups[at] = append(groups[at], items[i])
	}
	return groups, nil
}
