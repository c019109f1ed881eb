package move_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// item is a point on its way in the model.
type item struct {
	ID         int
	Val        int64 `json:",omitempty"`
	Same, Gone bool  `json:",omitempty"`
}

func encodeItems(items []item) []byte {
	b, err := json.Marshal(items)
	if err != nil {
		panic(err)
	}
	return b
}

func decodeItems(b []byte) (items []item) {
	if err := json.Unmarshal(b, &items); err != nil {
		panic(err)
	}
	return items
}

// apply applies the next committed entry of a replica.
func (w *world) apply(ref catalog.ShardRef, r *replica) {
	if r.applied >= r.commit {
		return
	}
	e := r.log[r.applied]
	index := r.applied + 1
	var foreign slot.Set
	if !w.rules.noForeign {
		foreign = r.state.Foreign()
	}
	switch {
	case e.put != 0:
		w.set(r, e.put, e.val, index)
	case e.del != 0:
		for _, id := range ids(r.data) {
			if matches(e, id) && !foreign.Has(slotOf(id)) {
				w.unset(r, id, index)
			}
		}
	case e.ctl != nil:
		w.control(ref, r, e.ctl, index)
	}
	r.applied = index
	w.duties(r.node, ref, r)
}

func matches(e entry, id int) bool {
	return id/100 == e.own && id%simClasses == e.del-1 && (e.in == nil || e.in.Has(slotOf(id)))
}

func ids(data map[int]int64) []int { return slices.Sorted(maps.Keys(data)) }

func (w *world) set(r *replica, id int, val int64, index int) {
	r.data[id], r.ver[id] = val, index
	w.touch(r, id, index)
}

func (w *world) unset(r *replica, id int, index int) {
	delete(r.data, id)
	delete(r.ver, id)
	w.touch(r, id, index)
}

func (w *world) touch(r *replica, id, index int) {
	for _, t := range r.tracks {
		if t.slots.Has(slotOf(id)) && (!w.rules.noTracker || index%7 != 0) {
			t.changed[id] = index
		}
	}
}

func (w *world) control(ref catalog.ShardRef, r *replica, op move.Op, index int) {
	if err := r.state.Permit(op); err != nil {
		w.note("n%d passes over %T at %d of %s: %v", r.node, op, index, ref, err)
		return
	}
	found := move.Found{}
	switch op := op.(type) {
	case move.Open:
		found.Rows = r.rows(slot.SetOf(op.Slots...))
	case move.Chunk:
		w.chunk(r, op, index)
	case move.Delta:
		for _, it := range decodeItems(op.Data) {
			if it.Gone {
				w.unset(r, it.ID, index)
			} else {
				w.set(r, it.ID, it.Val, index)
			}
		}
	case move.Drop:
		found = w.drop(r, op, index)
	case move.Seal:
		r.more = slices.DeleteFunc(r.more, func(x move.Seal) bool { return x.Move == op.Move && x.Version <= op.Version })
	}
	r.state = r.state.After(op, uint64(index), found)
}

func (w *world) chunk(r *replica, op move.Chunk, index int) {
	in, _ := r.state.Incoming(op.Move)
	slots := slot.SetOf(in.Slots...)
	named := map[int]bool{}
	for _, it := range decodeItems(op.Data) {
		named[it.ID] = true
		if !it.Same {
			w.set(r, it.ID, it.Val, index)
		} else if _, ok := r.data[it.ID]; !ok {
			w.violate("point %d was not sent and is not there", it.ID)
		}
	}
	for _, id := range ids(r.data) {
		key := keyOf(id)
		if !named[id] && slots.Has(slotOf(id)) && bytes.Compare(key, op.From) > 0 && (op.Last || bytes.Compare(key, op.To) <= 0) {
			w.unset(r, id, index)
		}
	}
}

// rows reports whether a replica has rows of some slots.
func (r *replica) rows(slots slot.Set) bool {
	for id := range r.data {
		if slots.Has(slotOf(id)) {
			return true
		}
	}
	return false
}

func (w *world) drop(r *replica, op move.Drop, index int) move.Found {
	slots := slot.SetOf(op.Slots...)
	from, _ := r.state.Dropped(op.Move)
	n := uint32(0)
	for _, id := range ids(r.data) {
		if bytes.Compare(keyOf(id), from.At) <= 0 || !slots.Has(slotOf(id)) {
			continue
		}
		if n == op.Limit {
			return move.Found{At: from.At}
		}
		n++
		from.At = keyOf(id)
		w.unset(r, id, index)
	}
	return move.Found{Done: true}
}

// checkFlip demands M5: at a flip the target has, in its log, what the source has.
func (w *world) checkFlip(s *catalog.State, c *catalog.Collection, m *catalog.Move) {
	slots := slot.SetOf(m.Slots...)
	of := func(id catalog.ShardID) map[int]int64 {
		ref := catalog.ShardRef{Collection: c.ID, Shard: id}
		_, sh, _ := s.Shard(ref)
		r := w.shards[ref][int(sh.Primary)-1]
		rows := w.replay(r.log)
		maps.DeleteFunc(rows, func(id int, _ int64) bool { return !slots.Has(slotOf(id)) || !copied(m, id) })
		return rows
	}
	if source, target := of(m.Source), of(m.Target); !maps.Equal(source, target) {
		w.violate("flip of move %d: the source has %v, the target %v", m.ID, source, target)
	}
}

// replay returns what a log makes.
func (w *world) replay(log []entry) map[int]int64 {
	quiet := &world{rules: w.rules, random: w.random}
	r := newReplica(0)
	r.log, r.commit = log, len(log)
	for r.applied < r.commit {
		e := r.log[r.applied]
		r.applied++
		foreign := r.state.Foreign()
		switch {
		case e.put != 0:
			r.data[e.put] = e.val
		case e.del != 0:
			maps.DeleteFunc(r.data, func(id int, _ int64) bool { return matches(e, id) && !foreign.Has(slotOf(id)) })
		case e.ctl != nil:
			quiet.control(catalog.ShardRef{}, r, e.ctl, r.applied)
		}
	}
	return r.data
}
