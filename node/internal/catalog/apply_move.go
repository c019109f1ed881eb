package catalog

import (
	"slices"
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// reshard changes the declared number of a group's shards and makes those that are missing, without slots. The slots follow, move by
// move. Another number that was declared before is no longer waited for.
func (e *edit) reshard(cmd Reshard) (OperationID, error) {
	c, ok := e.next.Collections[cmd.Collection]
	if !ok {
		return 0, fault.New(fault.NotFound, "collection %d does not exist", cmd.Collection)
	}
	g, err := c.Group(cmd.Key)
	if err != nil {
		return 0, err
	}
	if cmd.ShardNumber < 1 || cmd.ShardNumber > MaxShards {
		return 0, outside("shard_number", cmd.ShardNumber, 1, MaxShards)
	}
	if g.Number == cmd.ShardNumber {
		if o, running := e.resharding(c.ID, cmd.Key); running {
			return o.ID, nil
		}
		return 0, nil
	}
	return e.renumber(c, g, cmd, "another number of shards was declared")
}

// renumber declares another number of shards, makes those that are missing, and begins an operation in the place of the one that runs.
func (e *edit) renumber(c *Collection, g Group, cmd Reshard, why string) (OperationID, error) {
	if err := e.checkMissing(c, g, cmd.ShardNumber, cmd.Placement); err != nil {
		return 0, err
	}
	if err := c.checkWhole(g); err != nil {
		return 0, err
	}
	before, running := e.resharding(c.ID, cmd.Key)
	id, err := e.start(Operation{
		Kind: Resharding, Collection: c.ID, Started: cmd.At, Reshard: &Renumbering{Key: cmd.Key, From: g.Number, To: cmd.ShardNumber},
	})
	if err != nil {
		return 0, err
	}
	if running {
		e.finish(before.ID, Cancelled, why, cmd.At)
	}
	e.declare(c.ID, cmd.Key, cmd.ShardNumber)
	next := e.collection(c.ID)
	for _, peers := range cmd.Placement {
		sh := e.newShard(next.nextShard(), nil, peers, next.Config.WriteConsistencyFactor)
		sh.Key = cmd.Key
		next.NextShard = sh.ID + 1
		next.Shards = append(next.Shards, sh)
	}
	e.measure(next, id, cmd.Key)
	return id, nil
}

// measure notes how many slots an operation is to move.
func (e *edit) measure(c *Collection, id OperationID, key *point.ShardKey) {
	g, err := c.Group(key)
	if err != nil {
		return
	}
	for i, o := range e.next.Operations { // a list of its own, by start
		if o.ID == id {
			counted := *o
			plan := g.Plan()
			counted.Total = uint32(plan.Left)
			e.next.Operations[i] = &counted
		}
	}
}

func (e *edit) changeMove(cmd ChangeMove) (MoveID, error) {
	c, ok := e.next.Collections[cmd.Collection]
	if !ok {
		return 0, fault.New(fault.NotFound, "collection %d does not exist", cmd.Collection)
	}
	if err := cmd.shape(); err != nil {
		return 0, err
	}
	if cmd.Begin != nil {
		return e.beginMove(c, *cmd.Begin)
	}
	m, ok := c.Move(cmd.Move)
	if !ok {
		return 0, fault.New(fault.NotFound, "collection %d has no move %d", cmd.Collection, cmd.Move)
	}
	if m.Version != cmd.Version {
		return 0, fault.New(fault.Conflict, "move %d has version %d, not %d", m.ID, m.Version, cmd.Version).
			With("version", strconv.FormatUint(m.Version, 10))
	}
	return m.ID, e.moveChange(c, m, cmd)
}

func (c ChangeMove) shape() error {
	set := 0
	for _, is := range []bool{c.Begin != nil, c.Seal, c.Reopen, c.Flip != nil, c.Cancel, c.SourceDone, c.TargetDone} {
		if is {
			set++
		}
	}
	if set != 1 {
		return invalid("a command on a move must make exactly one change, this one makes %d", set)
	}
	return nil
}

func (e *edit) moveChange(c *Collection, m *Move, cmd ChangeMove) error {
	if m.Fill != 0 && m.Running() {
		return e.fillChange(c, m, cmd)
	}
	allowed := map[MovePhase]bool{}
	switch {
	case cmd.Seal:
		allowed[Copying] = true
	case cmd.Reopen, cmd.Flip != nil:
		allowed[Sealing] = true
	case cmd.Cancel:
		allowed[Copying], allowed[Sealing] = true, true
	default:
		allowed[Moved], allowed[Withdrawn] = true, true
	}
	if !allowed[m.Phase] {
		return refuse("move %d is %s", m.ID, m.Phase)
	}
	switch {
	case cmd.Seal:
		e.move(c.ID, m.ID).Phase = Sealing
	case cmd.Reopen:
		e.move(c.ID, m.ID).Phase = Copying
	case cmd.Cancel:
		e.move(c.ID, m.ID).Phase = Withdrawn
	case cmd.Flip != nil:
		return e.flip(c, m, *cmd.Flip)
	case cmd.SourceDone:
		e.move(c.ID, m.ID).SourceDone = true
	default:
		e.move(c.ID, m.ID).TargetDone = true
	}
	e.endMoves(c.ID)
	return nil
}

// move returns a move of the next state to write to, with its next version.
func (e *edit) move(collection CollectionID, id MoveID) *Move {
	c := e.collection(collection)
	i, _ := c.findMove(id)
	m := *c.Moves[i]
	m.Version++
	c.Moves = slices.Clone(c.Moves)
	c.Moves[i] = &m
	return &m
}

// endMoves removes the moves that have nothing left to clean up.
func (e *edit) endMoves(id CollectionID) {
	over := func(m *Move) bool { return m.SourceDone && m.TargetDone }
	if slices.ContainsFunc(e.next.Collections[id].Moves, over) {
		c := e.collection(id)
		c.Moves = slices.DeleteFunc(slices.Clone(c.Moves), over)
	}
}

func (e *edit) beginMove(c *Collection, b BeginMove) (MoveID, error) {
	source, ok1 := c.Shard(b.Source)
	target, ok2 := c.Shard(b.Target)
	switch {
	case !ok1 || !ok2 || source == target:
		return 0, refuse("slots cannot move from shard %d to shard %d of collection %d: those are not two shards of it", b.Source, b.Target, c.ID)
	case !source.Key.Same(target.Key):
		return 0, refuse("slots cannot move from shard %d to shard %d of collection %d: those are of two shard keys", b.Source, b.Target, c.ID)
	}
	for _, r := range b.Slots {
		if r.From > r.To || r.To >= slot.Count {
			return 0, invalid("slots %d..%d are no range of 0..%d", r.From, r.To, slot.Count-1)
		}
	}
	slots, owned := slot.SetOf(b.Slots...), source.Owned()
	if slots.Empty() || !slots.Within(&owned) {
		return 0, refuse("shard %d does not own the slots that are to move to shard %d", b.Source, b.Target)
	}
	for _, m := range c.GroupOf(source).Moves {
		other := slot.SetOf(m.Slots...)
		if slots.Meets(&other) {
			return 0, refuse("move %d is about some of these slots already", m.ID)
		}
		if m.Running() && (m.About(b.Source) || m.About(b.Target)) {
			return 0, refuse("move %d is about one of the shards %d and %d already", m.ID, b.Source, b.Target)
		}
	}
	e.next.NextMove++
	m := &Move{ID: e.next.NextMove, Version: 1, Phase: Copying, Source: b.Source, Target: b.Target, Slots: slots.Ranges()}
	next := e.collection(c.ID)
	next.Moves = append(slices.Clone(next.Moves), m)
	return m.ID, nil
}

// About reports whether slots move from or to a shard.
func (m *Move) About(id ShardID) bool { return m.Source == id || m.Target == id }

// flip changes the owner. It asks for the unsafe promotions of both shards and not for their versions: what does not lose
// entries may happen meanwhile, and a flip is not to wait for it.
func (e *edit) flip(c *Collection, m *Move, f FlipMove) error {
	source, target, err := c.flippable(m, f)
	if err != nil {
		return err
	}
	slots := slot.SetOf(m.Slots...)
	next := e.collection(c.ID)
	next.Epoch++
	e.give(next, m.Source, source.Owned().Minus(slots))
	e.give(next, m.Target, target.Owned().Or(slots)).Floor = &Floor{Index: max(f.Index, target.MinIndex()), Unsafe: f.TargetUnsafe}
	e.move(c.ID, m.ID).Phase = Moved
	return nil
}

// give changes the slots of a shard in an epoch that is new.
func (e *edit) give(c *Collection, id ShardID, slots slot.Set) *Shard {
	sh := e.shard(ShardRef{Collection: c.ID, Shard: id})
	sh.Slots = slots.Ranges()
	sh.Epoch = c.Epoch
	sh.Version++
	return sh
}

// flippable returns the shards of a move if its flip may rest on f.
func (c *Collection) flippable(m *Move, f FlipMove) (source, target *Shard, err error) {
	source, ok1 := c.Shard(m.Source)
	target, ok2 := c.Shard(m.Target)
	if !ok1 || !ok2 {
		return nil, nil, refuse("move %d is about a shard that is gone", m.ID)
	}
	if source.UnsafePromotions != f.SourceUnsafe || target.UnsafePromotions != f.TargetUnsafe {
		return nil, nil, refuse("move %d: a shard has had an unsafe promotion meanwhile: what was copied may not be what there is", m.ID)
	}
	if want := min(len(source.Active()), c.Factor(target)); len(target.Active()) < want {
		return nil, nil, refuse("move %d: shard %d has %d active replicas, it takes %d to own more slots", m.ID, m.Target, len(target.Active()), want)
	}
	return source, target, nil
}

func (e *edit) dropShard(ref ShardRef) error {
	c, sh, ok := e.next.Shard(ref)
	if !ok {
		return fault.New(fault.NotFound, "shard %d of collection %d does not exist", ref.Shard, ref.Collection)
	}
	switch g := c.GroupOf(sh); {
	case len(sh.Slots) > 0:
		return refuse("shard %d of collection %d owns slots", ref.Shard, ref.Collection)
	case g.Excess() == 0:
		return refuse("collection %d is to have %d shards%s and has %d", ref.Collection, g.Number, g.Of(), len(g.Shards))
	case slices.ContainsFunc(c.Moves, func(m *Move) bool { return m.Running() && m.About(ref.Shard) }):
		return refuse("slots are to move to or from shard %d of collection %d", ref.Shard, ref.Collection)
	}
	c = e.collection(ref.Collection)
	c.NextShard = c.nextShard()
	i, _ := c.findShard(ref.Shard)
	c.Shards = slices.Delete(c.Shards, i, i+1)
	delete(e.shards, ref)
	for _, m := range c.Moves { // what was to be cleaned up is gone
		if m.About(ref.Shard) {
			next := e.move(c.ID, m.ID)
			next.SourceDone, next.TargetDone = next.SourceDone || m.Source == ref.Shard, next.TargetDone || m.Target == ref.Shard
		}
	}
	e.endMoves(ref.Collection)
	return nil
}
