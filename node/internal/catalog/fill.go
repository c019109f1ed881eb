package catalog

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// FillShardKey copies the points of one shard key that match a filter into another one, which is Partial until it has them all
// (docs/design/shard-keys.md).
type FillShardKey struct {
	Collection CollectionID `json:"collection"`
	Filling
	At int64 `json:"at,omitempty"` // Unix milliseconds
}

// Filling is what a Fill operation does.
type Filling struct {
	From   point.ShardKey `json:"from"`
	To     point.ShardKey `json:"to"`
	Filter []byte         `json:"filter,omitempty"` // as package filter encodes it, for shards; empty: all points
}

// Bounds of a fill.
const (
	MaxFillFilterBytes = 64 << 10
	MaxFillParts       = 256
)

func (f *Filling) check() error {
	if err := checkKey(f.From); err != nil {
		return err
	}
	if len(f.Filter) > MaxFillFilterBytes {
		return invalid("the filter takes %d bytes, at most %d are allowed", len(f.Filter), MaxFillFilterBytes)
	}
	return checkKey(f.To)
}

func (f *Filling) same(g *Filling) bool {
	return f.From == g.From && f.To == g.To && slices.Equal(f.Filter, g.Filter)
}

// about reports whether a fill is from or into a key.
func (f *Filling) about(key point.ShardKey) bool { return f.From == key || f.To == key }

// Parts returns the moves of a fill.
func (c *Collection) Parts(id OperationID) (parts []*Move) {
	for _, m := range c.Moves {
		if m.Fill == id && id != 0 {
			parts = append(parts, m)
		}
	}
	return parts
}

// FillFilter returns what a part of a fill copies, as package filter encodes it (empty: all points); false if the catalog does not
// show it under way.
func (s *State) FillFilter(m *Move) ([]byte, bool) {
	o, ok := s.Operation(m.Fill)
	if !ok || !m.Running() || o.Fill == nil {
		return nil, false
	}
	return o.Fill.Filter, true
}

// fillShardKey begins a move for each pair of shards of the two keys that have slots in common.
func (e *edit) fillShardKey(cmd FillShardKey) (OperationID, error) {
	c, err := e.keyed(cmd.Collection)
	if err == nil {
		err = cmd.check()
	}
	if err != nil {
		return 0, err
	}
	from, err := c.Group(&cmd.From)
	if err != nil {
		return 0, err
	}
	to, err := c.Group(&cmd.To)
	if err != nil {
		return 0, err
	}
	if o, ok := e.next.RunningOperation(func(o *Operation) bool { return o.Kind == Fill && o.Collection == c.ID && o.Fill.same(&cmd.Filling) }); ok {
		return o.ID, nil
	}
	if err := e.fillable(c, from, to); err != nil {
		return 0, err
	}
	parts := partsOf(from, to)
	if len(parts) > MaxFillParts {
		return 0, refuse("the shards of %s and %s have slots in common in %d pairs, at most %d can be copied at once: give them the same number of shards",
			cmd.From, cmd.To, len(parts), MaxFillParts)
	}
	filling := cmd.Filling
	id, err := e.start(Operation{Kind: Fill, Collection: c.ID, Total: uint32(len(parts)), Started: cmd.At, Fill: &filling})
	if err != nil {
		return 0, err
	}
	next := e.collection(c.ID)
	next.Moves = slices.Clone(next.Moves)
	for _, m := range parts {
		e.next.NextMove++
		m.ID, m.Version, m.Phase, m.Fill = e.next.NextMove, 1, Copying, id
		next.Moves = append(next.Moves, m)
	}
	return id, nil
}

// fillable tells whether one group can be filled from another now.
func (e *edit) fillable(c *Collection, from, to Group) error {
	plan := from.Plan()
	_, resharding := e.resharding(c.ID, &from.Key.Key)
	switch {
	case !to.Partial():
		return refuse("shard key %s of collection `%s` serves already: points are copied into a key that was created with initial_state = Partial, "+
			"which takes neither reads nor writes before it has them", to.Key.Key, c.Name)
	case from.Partial():
		return refuse("shard key %s of collection `%s` is to be filled itself: it has nothing to copy", from.Key.Key, c.Name)
	case resharding || !plan.Rest():
		return refuse("shard key %s of collection `%s` is being cut anew: wait until that is done, or cancel it", from.Key.Key, c.Name)
	}
	return c.checkUnfilled(to, "filled from another")
}

// checkUnfilled refuses to change the shards of a group while one is filled from it, or it itself.
func (c *Collection) checkUnfilled(g Group, what string) error {
	for _, m := range c.Moves {
		if m.Fill == 0 || !slices.ContainsFunc(g.Shards, func(sh *Shard) bool { return m.About(sh.ID) }) {
			continue
		}
		if m.Running() {
			return refuse("shard key %s of collection `%s` cannot be %s while operation %d runs, which copies points from or into it: wait for it, or cancel it",
				g.Key.Key, c.Name, what, m.Fill)
		}
		return refuse("shard key %s of collection `%s` cannot be %s before operation %d, which copied points from or into it, has cleaned up: try again in a moment",
			g.Key.Key, c.Name, what, m.Fill)
	}
	return nil
}

// checkWhole refuses to cut a group anew that has no slots yet.
func (c *Collection) checkWhole(g Group) error {
	if g.Partial() {
		return refuse("shard key %s of collection `%s` is Partial: it can be cut anew once it is filled", g.Key.Key, c.Name)
	}
	return c.checkUnfilled(g, "cut anew")
}

// partsOf pairs the shards of two groups: those of the second are to have slots as if they were new.
func partsOf(from, to Group) (parts []*Move) {
	ranges := slot.Spread(len(to.Shards))
	for i, target := range to.Shards {
		slots := slot.SetOf(ranges[i])
		for _, source := range from.Shards {
			owned := source.Owned()
			if in := owned.And(slots); !in.Empty() {
				parts = append(parts, &Move{Source: source.ID, Target: target.ID, Slots: in.Ranges()})
			}
		}
	}
	return parts
}

// fillChange changes a part of a fill that is under way. What seals or reopens one does so to all.
func (e *edit) fillChange(c *Collection, m *Move, cmd ChangeMove) error {
	parts := c.Parts(m.Fill)
	others := func(is func(*Move) bool) bool {
		return !slices.ContainsFunc(parts, func(p *Move) bool { return p.ID != m.ID && !is(p) })
	}
	switch {
	case cmd.Seal && m.Phase == Copying && !m.Near:
		if !others(func(p *Move) bool { return p.Near }) {
			e.move(c.ID, m.ID).Near = true
			return nil
		}
		e.phases(c.ID, parts, Sealing)
	case cmd.Reopen && m.Sealed():
		e.phases(c.ID, parts, Copying)
	case cmd.Flip != nil && m.Phase == Sealing:
		if _, _, err := c.flippable(m, *cmd.Flip); err != nil {
			return err
		}
		if others(func(p *Move) bool { return p.Phase == Ready }) {
			return e.activate(c, parts, m.ID, *cmd.Flip)
		}
		next, flip := e.move(c.ID, m.ID), *cmd.Flip
		next.Phase, next.Flip = Ready, &flip
	default:
		return refuse("move %d, a part of operation %d, is %s", m.ID, m.Fill, m.Phase)
	}
	return nil
}

func (e *edit) phases(id CollectionID, parts []*Move, phase MovePhase) {
	for _, p := range parts {
		next := e.move(id, p.ID)
		next.Phase, next.Near, next.Flip = phase, false, nil
	}
}

// activate gives the slots of a key to its shards, all at once: from this epoch on the key serves. The sources keep theirs, and
// refuse what was split by an older epoch, so that who took the key for Partial looks again.
func (e *edit) activate(c *Collection, parts []*Move, last MoveID, flip FlipMove) error {
	floors, slots := map[ShardID]Floor{}, map[ShardID]slot.Set{}
	var key point.ShardKey
	for _, p := range parts {
		f := p.Flip
		if p.ID == last {
			f = &flip
		}
		_, target, err := c.flippable(p, *f)
		if err != nil {
			return err
		}
		key, slots[p.Target] = *target.Key, slots[p.Target].Or(slot.SetOf(p.Slots...))
		floors[p.Target] = Floor{Index: max(f.Index, floors[p.Target].Index), Unsafe: f.TargetUnsafe}
	}
	next := e.collection(c.ID)
	next.Epoch++
	at, ok := next.findKey(key)
	if !ok {
		return fault.New(fault.Internal, "shard key %s is not declared", key)
	}
	k := *next.Keys[at]
	k.Partial = false
	next.Keys = slices.Clone(next.Keys)
	next.Keys[at] = &k
	for _, p := range parts {
		source, _ := next.Shard(p.Source)
		if source.Epoch != next.Epoch {
			e.give(next, p.Source, source.Owned())
		}
		target, _ := next.Shard(p.Target)
		if target.Epoch != next.Epoch {
			floor := floors[p.Target]
			e.give(next, p.Target, slots[p.Target]).Floor = &floor
		}
	}
	e.phases(c.ID, parts, Moved)
	return nil
}

// withdraw gives the parts of a fill up that are under way.
func (e *edit) withdraw(o *Operation) {
	c, ok := e.next.Collections[o.Collection]
	if !ok || o.Kind != Fill {
		return
	}
	e.phases(c.ID, slices.DeleteFunc(c.Parts(o.ID), func(m *Move) bool { return !m.Running() }), Withdrawn)
}

// endFills ends what copies from a key that is about to be deleted, or into it. What was copied into another is dropped there.
func (e *edit) endFills(id CollectionID, key point.ShardKey, at int64) {
	for _, o := range e.next.Operations {
		if o.Kind == Fill && o.State == Running && o.Collection == id && o.Fill.about(key) {
			e.withdraw(o)
			e.finish(o.ID, Cancelled, "the shard key "+key.String()+" was deleted", at)
		}
	}
	c := e.next.Collections[id]
	of := func(id ShardID) bool {
		sh, ok := c.Shard(id)
		return ok && *sh.Key == key
	}
	for _, m := range c.Moves {
		if m.Fill == 0 || !of(m.Source) && !of(m.Target) {
			continue
		}
		next := e.move(id, m.ID)
		next.SourceDone, next.TargetDone = next.SourceDone || of(next.Source), next.TargetDone || of(next.Target)
	}
	e.endMoves(id)
}

// checkFills checks the parts of fills.
func (s *State) checkFills(c *Collection) error {
	for _, m := range c.Moves {
		switch {
		case m.Fill == 0 && (m.Near || m.Flip != nil || m.Phase == Ready), (m.Flip != nil) != (m.Phase == Ready), m.Near && m.Phase != Copying:
			return invalid("collection %q: move %d (%s) is not valid", c.Name, m.ID, m.Phase)
		case m.Fill == 0 || !m.Running():
			continue
		}
		if err := s.checkFill(c, m.Fill); err != nil {
			return err
		}
	}
	return nil
}

// checkFill checks a fill of which parts are under way: all are, side by side, and they are about each slot once.
func (s *State) checkFill(c *Collection, id OperationID) error {
	bad := func(what string) error {
		return invalid("collection %q: the parts of operation %d: %s", c.Name, id, what)
	}
	o, ok := s.Operation(id)
	if !ok || o.Fill == nil || o.State != Running || o.Collection != c.ID {
		return bad("it does not run")
	}
	if k, ok := c.ShardKey(o.Fill.To); !ok || !k.Partial {
		return bad("the key that they fill is not Partial")
	}
	var all slot.Set
	ready, sealed, parts := 0, 0, c.Parts(id)
	for _, m := range parts {
		source, ok1 := c.Shard(m.Source)
		target, ok2 := c.Shard(m.Target)
		if !ok1 || !ok2 || *source.Key != o.Fill.From || *target.Key != o.Fill.To {
			return bad("they are not between shards of its keys")
		}
		slots, owned := slot.SetOf(m.Slots...), source.Owned()
		if slots.Meets(&all) || !slots.Within(&owned) {
			return bad("their slots are not those of their sources, each once")
		}
		all = all.Or(slots)
		if m.Sealed() {
			sealed++
		}
		if m.Phase == Ready {
			ready++
		}
	}
	if all.Len() != slot.Count || sealed != 0 && sealed != len(parts) || ready == len(parts) || slices.ContainsFunc(parts, func(m *Move) bool { return !m.Running() }) {
		return bad("they are not of one phase, or some are missing")
	}
	return nil
}
