package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Keys says which shard keys of a collection with custom sharding a request is for. Nil is none: a write is refused then, a read
// asks all.
type Keys struct {
	Keys []point.ShardKey
	// Fallback, if not nil, takes the place of the only one of Keys where that does not exist, or is not filled yet.
	Fallback *point.ShardKey
}

// String tells requests for different keys apart.
func (k *Keys) String() string {
	if k == nil {
		return ""
	}
	return fmt.Sprint(k.Keys, k.Fallback)
}

// Check tells whether a request for these keys fits the collection. Newer metadata may tell otherwise where it answers NotFound, one of them
// is not known, or FailedPrecondition, one is not filled.
func (k *Keys) Check(col *catalog.Collection, write bool) error {
	_, _, err := k.within(col, write)
	return err
}

// within returns the collection with the shards of these keys alone, and whether the fallback is among them.
func (k *Keys) within(col *catalog.Collection, write bool) (part *catalog.Collection, fell bool, err error) {
	switch {
	case k == nil && write && col.Config.Custom():
		return nil, false, fault.New(fault.Invalid, "Shard key not specified: collection `%s` has custom sharding, a write names the shard key", col.Name)
	case k == nil:
		return filled(col), false, nil
	case !col.Config.Custom():
		return nil, false, fault.New(fault.Invalid, "collection `%s` has no shard keys to select: it was created with Auto sharding method", col.Name)
	case len(k.Keys) == 0:
		return nil, false, fault.New(fault.Invalid, "the shard key selector names no key")
	case k.Fallback != nil && len(k.Keys) > 1:
		return nil, false, fault.New(fault.Invalid, "a fallback is for one shard key, %d are selected", len(k.Keys))
	}
	for i, key := range k.Keys {
		one, err := withinFilled(col, key)
		if unsettled(err) && k.Fallback != nil {
			one, err = withinFilled(col, *k.Fallback)
			fell = true
		}
		if err != nil {
			return nil, fell, err
		}
		if part == nil {
			part = one
		} else if !slices.Contains(k.Keys[:i], key) {
			part.Shards = append(part.Shards, one.Shards...)
		}
	}
	slices.SortFunc(part.Shards, func(a, b *catalog.Shard) int { return cmp.Compare(a.ID, b.ID) })
	return part, fell, nil
}

// withinFilled returns the collection with the shards of one key alone, if requests may be for it.
func withinFilled(col *catalog.Collection, key point.ShardKey) (*catalog.Collection, error) {
	if k, ok := col.ShardKey(key); ok && k.Partial {
		return nil, fault.New(fault.FailedPrecondition, "shard key %s of collection `%s` is Partial: it takes neither reads nor writes before replicate_points has filled it; "+
			"name the key that it is filled from as fallback until then", key, col.Name)
	}
	return col.Within(key)
}

// filled leaves out the shards of keys that are to be filled yet.
func filled(col *catalog.Collection) *catalog.Collection {
	partial := func(sh *catalog.Shard) bool {
		k, ok := col.ShardKey(*sh.Key)
		return ok && k.Partial
	}
	if !col.Config.Custom() || !slices.ContainsFunc(col.Shards, partial) {
		return col
	}
	part := *col
	part.Shards = slices.DeleteFunc(slices.Clone(col.Shards), partial)
	return &part
}

// unsettled reports whether a key cannot be asked for as far as is known here: metadata that are up to date may tell otherwise.
func unsettled(err error) bool {
	return fault.Is(err, fault.NotFound) || fault.Is(err, fault.FailedPrecondition)
}

// route narrows a collection to the shards of a request's keys. That a key does not exist, or is not filled, is said, or acted upon, only by
// metadata that are up to date: what was written to the fallback by mistake would be lost to those who ask the key. Reads that may be
// behind anyway take the fallback without.
func (c *Coordinator) route(ctx context.Context, col *catalog.Collection, k *Keys, write, fresh bool) (*catalog.Collection, error) {
	part, fell, err := k.within(col, write)
	doubtful := unsettled(err) || fell && (write || fresh)
	if !doubtful {
		return part, err
	}
	if err := c.CatchUp(ctx); err != nil {
		return nil, annotate(err, "a shard key of collection %q is not known here", col.Name)
	}
	state, _ := c.opts.Metadata.Watch()
	now, ok := state.Collections[col.ID]
	if !ok {
		return nil, catalog.ErrMissingCollection(col.Name)
	}
	part, _, err = k.within(now, write)
	return part, err
}

// routeWrite is route for a write. What the cluster itself writes is for the shards of all keys that are filled: into others comes what was
// written where they are filled from.
func (c *Coordinator) routeWrite(ctx context.Context, col *catalog.Collection, o WriteOptions) (*catalog.Collection, error) {
	if o.raw {
		return filled(col), nil
	}
	return c.route(ctx, col, o.Keys, true, true)
}

// byKey cuts a collection into one for each shard key; one without keys stays whole.
func byKey(col *catalog.Collection) []*catalog.Collection {
	if !col.Config.Custom() {
		return []*catalog.Collection{col}
	}
	var parts []*catalog.Collection
	for _, sh := range col.Shards {
		i := slices.IndexFunc(parts, func(p *catalog.Collection) bool { return p.Shards[0].Key.Same(sh.Key) })
		if i < 0 {
			part := *col
			part.Shards = nil
			i, parts = len(parts), append(parts, &part)
		}
		parts[i].Shards = append(parts[i].Shards, sh)
	}
	return parts
}

// ofKey returns the part of a collection that has the key of a shard, as another state of it knew that; of a request with a fallback, the shards
// of the key that it is for now.
func ofKey(was, now *catalog.Collection, id catalog.ShardID, k *Keys) (*catalog.Collection, error) {
	if !now.Config.Custom() || k != nil && k.Fallback != nil {
		return now, nil
	}
	if sh, ok := was.Shard(id); ok {
		for _, part := range byKey(now) {
			if part.Shards[0].Key.Same(sh.Key) {
				return part, nil
			}
		}
	}
	return nil, fault.New(fault.NotFound, "the shard key was deleted meanwhile")
}

// several reports whether a collection has shards of more than one key: then two points may have one id.
func several(col *catalog.Collection) bool {
	return col.Config.Custom() && slices.ContainsFunc(col.Shards, func(sh *catalog.Shard) bool { return !sh.Key.Same(col.Shards[0].Key) })
}

// keyed notes in records which shard key they are from. lists[i] is of shards[i].
func keyed(shards []*catalog.Shard, lists [][]point.Record) {
	for i, list := range lists {
		for j := range list {
			list[j].ShardKey = shards[i].Key
		}
	}
}

// keyedHits is keyed for the hits of several searches.
func keyedHits(shards []*catalog.Shard, perShard [][][]shard.Scored) {
	for i, lists := range perShard {
		for _, list := range lists {
			for j := range list {
				list[j].ShardKey = shards[i].Key
			}
		}
	}
}

// mergeDistinct is merge where of the items with one id only the first counts.
func mergeDistinct[T any](lists [][]T, before func(a, b *T) bool, idOf func(*T) point.ID, offset, limit uint64) []T {
	all := merge(lists, before, 0, maxWindow)
	seen := make(map[point.ID]struct{}, len(all))
	kept := all[:0]
	for i := range all {
		id := idOf(&all[i])
		if _, again := seen[id]; !again {
			seen[id] = struct{}{}
			kept = append(kept, all[i])
		}
	}
	kept = kept[min(offset, uint64(len(kept))):]
	return kept[:min(limit, uint64(len(kept)))]
}
