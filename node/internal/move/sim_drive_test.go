package move_test

import (
	"bytes"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// drivers appends an entry that the driver of a move waits for.
func (w *world) drivers(ref catalog.ShardRef, r *replica, m *catalog.Move, op move.Op) {
	w.append(ref, r, entry{ctl: op})
	r.drove[m.ID] = len(r.log)
}

type feedKey struct {
	node int
	move catalog.MoveID
}

// feed is a pass on its way from a source to a target's primary.
type feed struct {
	from   int
	term   uint64 // of the target, in which it began
	pieces []move.Op
	small  bool

	// Of a last pass:
	source  catalog.ShardRef
	version uint64 // of the move
	seal    int    // its place in the source's log, or one behind it
	reigns  uint64 // the source's term
	placed  bool   // nothing else was on its way at the target
	unsafe  uint64 // the target's unsafe promotions before it
}

// assurance is what a driver rests a flip on.
type assurance struct {
	version uint64
	flip    catalog.FlipMove
}

// drive makes one step of the drivers of all moves that a node has a part in.
func (w *world) drive(n int) {
	w.sweep(n)
	s := w.view(n)
	for _, col := range s.Sorted() {
		for _, m := range col.Moves {
			target := catalog.ShardRef{Collection: col.ID, Shard: m.Target}
			if r := w.shards[target][n]; r != nil && r.lead != 0 && r.applied >= max(r.start, r.drove[m.ID]) {
				w.driveTarget(n, col, m, target, r)
			}
			source := catalog.ShardRef{Collection: col.ID, Shard: m.Source}
			if r := w.shards[source][n]; r != nil && r.lead != 0 && r.applied >= max(r.start, r.drove[m.ID]) {
				w.driveSource(n, col, m, source, r)
			}
		}
	}
}

// sweep is rid of what no move accounts for.
func (w *world) sweep(n int) {
	for _, ref := range w.refs() {
		r, st := w.shards[ref][n], w.standing(n, ref)
		if r == nil || st == nil || r.lead == 0 || r.applied < max(r.start, r.swept) {
			continue
		}
		if op := st.Stray(r.state, r.rows, 2); op != nil {
			w.append(ref, r, entry{ctl: op})
			r.swept = len(r.log)
		}
	}
}

func (w *world) change(m *catalog.Move, c *catalog.Collection, change catalog.ChangeMove) {
	change.Collection, change.Move, change.Version = c.ID, m.ID, m.Version
	w.flight = append(w.flight, catalog.Command{ChangeMove: &change})
}

func (w *world) driveTarget(n int, col *catalog.Collection, m *catalog.Move, ref catalog.ShardRef, r *replica) {
	key := feedKey{n, m.ID}
	sure, ok := r.sure[m.ID]
	step := move.TargetStep(m, r.state, ok && (sure.version == m.Version || w.rules.noVersion))
	if step != move.DoPass && step != move.DoLast {
		delete(w.feeds, key)
	}
	switch step {
	case move.DoOpen:
		w.drivers(ref, r, m, move.Open{Move: m.ID, Slots: m.Slots})
	case move.DoPass, move.DoLast:
		w.pass(key, col, m, ref, r, step == move.DoLast)
	case move.DoFlip:
		flip := sure.flip
		w.change(m, col, catalog.ChangeMove{Flip: &flip})
	case move.DoAbort:
		w.change(m, col, catalog.ChangeMove{Reopen: true})
	case move.DoAccept:
		w.drivers(ref, r, m, move.Accept{Move: m.ID})
	case move.DoForget:
		w.drivers(ref, r, m, move.Forget{Move: m.ID})
	case move.DoDrop:
		w.drivers(ref, r, m, move.Drop{Move: m.ID, Slots: m.Slots, Limit: 2})
	case move.DoDone:
		w.change(m, col, catalog.ChangeMove{TargetDone: true})
	case move.Wait, move.DoUnseal:
		if m.Phase == catalog.Ready && w.random.IntN(2*w.patience(m)) == 0 {
			w.change(m, col, catalog.ChangeMove{Reopen: true}) // it lasts too long
		}
	}
}

func (w *world) driveSource(n int, col *catalog.Collection, m *catalog.Move, ref catalog.ShardRef, r *replica) {
	rows := r.rows(slot.SetOf(m.Slots...))
	_, sh, _ := w.view(n).Shard(ref)
	switch move.SourceStep(m, r.state, rows) {
	case move.DoDrop:
		if w.bias != readMore || w.calm || w.random.IntN(40) == 0 {
			w.drivers(ref, r, m, move.Drop{Move: m.ID, Slots: m.Slots, Epoch: sh.Epoch, Limit: 2})
		}
	case move.DoUnseal:
		if x, _ := r.state.Seal(m.ID); m.Phase == catalog.Withdrawn {
			w.drivers(ref, r, m, move.Unseal{Move: m.ID, Version: x.Version})
		}
	case move.DoDone:
		w.change(m, col, catalog.ChangeMove{SourceDone: true})
	default:
		if m.Sealed() && w.random.IntN(w.patience(m)) == 0 {
			w.change(m, col, catalog.ChangeMove{Reopen: true}) // it lasts too long
		}
	}
}

// patience is how seldom a driver finds that a seal lasts too long.
func (w *world) patience(m *catalog.Move) int {
	n := 30
	if m.Fill != 0 {
		n = 60 // there are several who may find it
	}
	if w.calm {
		n *= 2
		if m.Fill != 0 {
			n *= 5
		}
	}
	return n
}

// pass goes on with a pass, or begins one at the replica that the target's node takes for the source's primary.
func (w *world) pass(key feedKey, col *catalog.Collection, m *catalog.Move, ref catalog.ShardRef, r *replica, last bool) {
	f := w.feeds[key]
	if f != nil && f.term == r.lead && len(f.pieces) > 0 {
		w.append(ref, r, entry{ctl: f.pieces[0]})
		r.fed[m.ID] = len(r.log)
		f.pieces = f.pieces[1:]
		return
	}
	if f != nil && f.term == r.lead && last && f.version == m.Version && w.random.IntN(30) > 0 {
		w.assure(col, m, r, f)
		return
	}
	if f != nil && f.term == r.lead && r.applied < len(r.log) && (!last || w.random.IntN(3) > 0) {
		return // what it has sent is not applied yet
	}
	if f != nil && f.small && !last && w.random.IntN(3) > 0 {
		w.change(m, col, catalog.ChangeMove{Seal: true})
	}
	delete(w.feeds, key)
	source := catalog.ShardRef{Collection: col.ID, Shard: m.Source}
	_, sh, ok := w.view(key.node).Shard(source)
	if !ok {
		return
	}
	from := int(sh.Primary) - 1
	if w.random.IntN(6) == 0 {
		from = w.random.IntN(simNodes) // it knows another, right or wrong
	}
	if f := w.feed(from, m, source, r, last); f != nil {
		f.term, f.placed, f.unsafe = r.lead, r.applied >= r.fed[m.ID], w.unsafe(key.node, ref)
		w.feeds[key] = f
	}
}

func (w *world) unsafe(n int, ref catalog.ShardRef) uint64 {
	_, sh, _ := w.view(n).Shard(ref)
	return sh.UnsafePromotions
}

// assure notes that a last pass has ended well, once what it brought is committed and in its place, and the seal stands at the source.
func (w *world) assure(col *catalog.Collection, m *catalog.Move, r *replica, f *feed) {
	at := r.fed[m.ID]
	in, ok := r.state.Incoming(m.ID)
	switch {
	case !ok || r.commit < at:
		return
	case !f.placed && !w.rules.noPlace && (r.applied < at || in.Sealed != m.Version || in.Index != uint64(at)):
		return
	case !w.rules.noStand && !w.stands(catalog.ShardRef{Collection: col.ID, Shard: m.Source}, m, f):
		return
	}
	r.sure[m.ID] = assurance{m.Version, catalog.FlipMove{SourceUnsafe: in.Unsafe, TargetUnsafe: f.unsafe, Index: uint64(at)}}
}

// stands tells whether the source that a last pass came from still leads, and its seal is committed and applied by more than half.
func (w *world) stands(source catalog.ShardRef, m *catalog.Move, f *feed) bool {
	p := w.shards[source][f.from]
	if p == nil || p.lead != f.reigns || p.applied < f.seal {
		return false
	}
	applied := 0
	for _, q := range w.shards[source] {
		if x, ok := q.state.Seal(m.ID); ok && x.Version == m.Version {
			applied++
		}
	}
	return applied >= simNodes/2+1 || w.rules.noSealApplied
}

// feed is the source's side: it seals for the last pass, and takes a cut.
func (w *world) feed(n int, m *catalog.Move, ref catalog.ShardRef, target *replica, last bool) *feed {
	p, st := w.shards[ref][n], w.standing(n, ref)
	if p == nil || st == nil || p.lead == 0 || p.tracks[m.ID] == nil {
		return nil
	}
	in, ok := target.state.Incoming(m.ID)
	if !ok || uint64(p.applied) < in.Cuts {
		return nil
	}
	sealed, is := p.state.Seal(m.ID)
	version, place := sealed.Version, p.applied
	if last && (!is || sealed.Version != m.Version) {
		if version, place = m.Version, w.seal(ref, p, st, m); place == 0 || p.applied < place-1 {
			return nil
		}
	}
	_, sh, _ := w.view(n).Shard(ref)
	w.note("n%d feeds move %d from a cut at %d, sealed %d at %d", n, m.ID, p.applied, version, place)
	t := p.tracks[m.ID]
	if in.Cursor != 0 && in.Unsafe == sh.UnsafePromotions && t.reach <= int(in.Cursor) {
		f := w.deltas(n, m, p, t, in, version)
		f.source, f.version, f.seal, f.reigns = ref, version, place, p.lead
		return f
	}
	if last { // too much for a pause
		col := w.view(target.node).Collections[ref.Collection]
		w.change(m, col, catalog.ChangeMove{Reopen: true})
		return nil
	}
	return w.whole(n, m, p, in, sh.UnsafePromotions)
}

// seal puts the seal of a move into the source's log, if it may, and returns its place; 0: it stands not.
func (w *world) seal(ref catalog.ShardRef, p *replica, st *move.Standing, m *catalog.Move) int {
	seal := move.Seal{Move: m.ID, Version: m.Version, Slots: m.Slots}
	for i := p.applied; i < len(p.log); i++ { // it is on its way
		if x, ok := p.log[i].ctl.(move.Seal); ok && p.log[i].term == p.lead && x.Move == m.ID && x.Version == m.Version {
			return i + 1
		}
	}
	if !st.MaySeal(seal) {
		return 0
	}
	p.more = append(p.more, seal)
	w.append(ref, p, entry{ctl: seal})
	return len(p.log)
}

func (w *world) deltas(n int, m *catalog.Move, p *replica, t *track, in *move.Incoming, sealed uint64) *feed {
	var items []item
	for id, at := range t.changed {
		if at <= int(in.Cursor) {
			continue
		}
		it := item{ID: id}
		if it.Val = p.data[id]; it.Val == 0 || !copied(m, id) {
			it.Val = 0
			it.Gone = true
		}
		items = append(items, it)
	}
	f := &feed{from: n, small: len(items) < 4}
	d := move.Delta{Move: m.ID, After: in.Cursor, To: uint64(p.applied), Sealed: sealed}
	for len(items) > 2 {
		d.Data = encodeItems(items[:2])
		f.pieces = append(f.pieces, d)
		items = items[2:]
		d.Part++
	}
	d.Data, d.Last = encodeItems(items), true
	f.pieces = append(f.pieces, d)
	return f
}

func (w *world) whole(n int, m *catalog.Move, p *replica, in *move.Incoming, unsafe uint64) *feed {
	f := &feed{from: n}
	slots := slot.SetOf(m.Slots...)
	since := in.Since
	if in.Unsafe != unsafe {
		since = 0
	}
	f.pieces = append(f.pieces, move.Begin{Move: m.ID, Cut: uint64(p.applied), Unsafe: unsafe})
	c := move.Chunk{Move: m.ID, Cut: uint64(p.applied)}
	var items []item
	for _, id := range ids(p.data) {
		if !slots.Has(slotOf(id)) || !copied(m, id) {
			continue
		}
		it := item{ID: id, Val: p.data[id]}
		if (in.Full || bytes.Compare(keyOf(id), in.Through) <= 0) && uint64(p.ver[id]) <= since {
			it = item{ID: id, Same: true}
		}
		if items = append(items, it); len(items) == 2 {
			c.To, c.Data = keyOf(id), encodeItems(items)
			f.pieces = append(f.pieces, c)
			c.From, items = c.To, nil
		}
	}
	c.To, c.Last, c.Data = nil, true, encodeItems(items)
	f.pieces = append(f.pieces, c)
	return f
}
