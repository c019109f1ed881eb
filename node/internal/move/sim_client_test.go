package move_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

const absent = int64(0)

// writer changes ids of its own, one request at a time, through one node.
type writer struct {
	w       *world
	index   int
	node    int
	seq     int64
	acked   map[int]int64          // the value that was acknowledged last
	ackedAt map[int]int64          // its seq
	late    map[int]map[int64]bool // values of which it does not know whether they came, or will
	seen    map[catalog.ShardRef]int
	req     *request
}

// request is one change on its way.
type request struct {
	writer *writer
	seq    int64
	ids    map[int]int64 // of puts: values; of a delete: what it may make absent
	del    int
	parts  []*part
	age    int
	shared bool // about ids that all write: nobody knows what they are, but each owner has to have the same
	clears int  // the owner whose ids it deletes under the fallback, which nobody asks for them any more; 0: it is not such a request
}

func (r *request) owner() int {
	if r.clears != 0 {
		return r.clears
	}
	if r.shared {
		return simWriters + 1
	}
	return r.writer.index + 1
}

// part is what one shard gets of a request.
type part struct {
	req   *request
	epoch uint64
	ref   catalog.ShardRef
	id    int
	scope *slot.Set // of deletes: nil is the whole shard
	slots slot.Set  // that the shard owned at epoch
	sent  bool
	done  bool
	dead  bool // it will never be answered
}

func newWriter(w *world, index int) *writer {
	k := &writer{w: w, index: index, node: index % simNodes, acked: map[int]int64{}, ackedAt: map[int]int64{}, late: map[int]map[int64]bool{}}
	k.seen = map[catalog.ShardRef]int{}
	return k
}

func (k *writer) id(i int) int { return (k.index)*100 + i + 1 + 100 }

func sharedIDs() (list []int) {
	for i := range simIDs {
		list = append(list, (simWriters+1)*100+i)
	}
	return list
}

func (k *writer) all() (list []int) {
	for i := range simIDs {
		list = append(list, k.id(i))
	}
	return list
}

// valueOf makes values that tell their seq.
func valueOf(seq int64) int64 { return seq*10 + 1 }

func seqOf(val int64) int64 { return val / 10 }

// begin starts a request.
func (k *writer) begin() {
	if _, ok := k.w.view(k.node).Lookup("c"); !ok {
		return // its node has restarted and does not know it again yet
	}
	k.seq++
	if k.clear() {
		return
	}
	r := &request{writer: k, seq: k.seq, ids: map[int]int64{}, shared: k.w.random.IntN(4) == 0}
	list := k.all()
	if r.shared {
		list = sharedIDs()
	}
	if k.w.random.IntN(4) == 0 {
		r.del = 1 + k.w.random.IntN(simClasses)
		for _, id := range list {
			if id%simClasses == r.del-1 {
				r.ids[id] = absent
			}
		}
	} else {
		for range 1 + k.w.random.IntN(3) {
			r.ids[list[k.w.random.IntN(len(list))]] = valueOf(k.seq)
		}
	}
	k.req = r
	k.split(r, nil, nil)
}

// split cuts a request, or what of it is within a scope, into parts by the catalog of the writer's node.
func (k *writer) split(r *request, only []int, scope *slot.Set) {
	all, _ := k.w.view(k.node).Lookup("c")
	col := k.route(all)
	if r.del != 0 {
		for _, sh := range col.Owners() {
			p := &part{req: r, epoch: col.Epoch, ref: catalog.ShardRef{Collection: col.ID, Shard: sh.ID}, slots: sh.Owned()}
			if scope != nil {
				in := sh.Owned().And(*scope)
				if in.Empty() {
					continue
				}
				p.scope, p.slots = &in, in
			}
			r.parts = append(r.parts, p)
		}
		return
	}
	if only == nil {
		only = slices.Sorted(maps.Keys(r.ids))
	}
	for _, id := range only {
		sh := col.ShardOf(slotOf(id))
		r.parts = append(r.parts, &part{req: r, epoch: col.Epoch, ref: catalog.ShardRef{Collection: col.ID, Shard: sh.ID}, id: id})
	}
}

// step goes on with the writer's request.
func (k *writer) step() {
	r := k.req
	if r == nil {
		k.begin()
		return
	}
	r.age++
	open := 0
	for _, p := range r.parts {
		switch {
		case p.done:
		case p.dead:
			k.giveUp()
			return
		case !p.sent:
			open++
			p.sent = true
			k.w.pending = append(k.w.pending, p)
		default:
			open++
		}
	}
	if open == 0 {
		k.succeed()
	} else if r.age > 400 {
		k.giveUp()
	}
}

func (k *writer) succeed() {
	for id, val := range k.req.ids {
		if !k.req.shared {
			k.acked[id], k.ackedAt[id] = val, k.req.seq
		}
	}
	k.w.note("writer %d: request %d is acknowledged", k.index, k.req.seq)
	k.req = nil
}

func (k *writer) giveUp() {
	for id, val := range k.req.ids {
		if k.late[id] == nil {
			k.late[id] = map[int64]bool{}
		}
		k.late[id][val] = true
	}
	k.w.note("writer %d: the outcome of %d is unknown", k.index, k.req.seq)
	for _, p := range k.req.parts {
		p.dead = true
	}
	k.req = nil
}

func (p *part) acknowledge(index int) {
	if p.dead {
		return
	}
	p.done = true
	k := p.req.writer
	k.seen[p.ref] = max(k.seen[p.ref], index)
}

// deliver brings a part to a replica, which takes it or refuses it.
func (w *world) deliver(p *part) {
	k := p.req.writer
	_, sh, ok := w.view(k.node).Shard(p.ref)
	if !ok {
		w.refused(p)
		return
	}
	n := int(sh.Primary) - 1
	if w.random.IntN(4) == 0 {
		n = w.random.IntN(simNodes)
	}
	r, st := w.shards[p.ref][n], w.standing(n, p.ref)
	if r == nil || r.lead == 0 || st == nil {
		w.refused(p)
		return
	}
	e := entry{part: p, put: p.id, val: p.req.ids[p.id], del: p.req.del, own: p.req.owner(), in: p.scope}
	touches := p.scope
	if p.id != 0 {
		set := slot.SetOf(slot.Range{From: slotOf(p.id), To: slotOf(p.id)})
		touches = &set
	}
	state, more, settled, epoch := r.state, r.more, r.applied >= r.start, p.epoch
	if w.rules.noSeals {
		state, more, settled = nil, nil, true
	}
	if w.rules.noMore {
		more = nil
	}
	if w.rules.noSettled {
		settled = true
	}
	if w.rules.noOwner {
		epoch, touches = 0, &slot.Set{}
		if p.id != 0 {
			touches.Add(slotOf(p.id))
		}
		all := *st
		st = &all
		st.Owned, st.All = slot.SetOf(slot.Range{To: slot.Count - 1}), true
	}
	if err := st.Write(epoch, touches, state, more, settled); err != nil {
		w.refused(p)
		return
	}
	w.append(p.ref, r, e)
}

// refused: nothing was done. What the part was for is split again by a newer catalog, or sent again.
func (w *world) refused(p *part) {
	k := p.req.writer
	if p.dead || k.req != p.req {
		return
	}
	p.sent = false
	col, known := w.view(k.node).Collections[p.ref.Collection]
	if !known || col.Epoch < p.epoch {
		return
	}
	if sh, ok := col.Shard(p.ref.Shard); ok && sh.Epoch <= p.epoch {
		return
	}
	k.req.parts = slices.DeleteFunc(k.req.parts, func(o *part) bool { return o == p })
	if p.req.del != 0 {
		k.split(p.req, nil, &p.slots)
		return
	}
	k.split(p.req, []int{p.id}, nil)
}

// read is a read of all ids on its way: linearizable, or of a writer's own through its node.
type read struct {
	node    int
	strict  bool
	epoch   uint64
	began   map[int]int64 // seq acknowledged when it began, of the ids that it has to see
	refs    []catalog.ShardRef
	min     map[catalog.ShardRef]int
	proved  map[catalog.ShardRef]bool
	found   map[int]int64
	writers []*writer
	age     int
}

func (w *world) beginRead() {
	n := w.random.IntN(simNodes)
	col, ok := w.view(n).Lookup("c")
	if !ok {
		return
	}
	r := &read{
		node: n, strict: w.random.IntN(2) == 0, epoch: col.Epoch, began: map[int]int64{}, found: map[int]int64{},
		min: map[catalog.ShardRef]int{}, proved: map[catalog.ShardRef]bool{},
	}
	of := w.writers[0] // whose way the read takes
	if w.fills {
		of = w.writers[w.random.IntN(len(w.writers))]
	}
	for _, k := range w.writers {
		if (r.strict || k.node == n) && (!w.fills || k.tenant() == of.tenant()) {
			r.writers = append(r.writers, k)
		}
	}
	for _, sh := range of.route(col).Owners() {
		ref := catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
		r.refs = append(r.refs, ref)
		for _, k := range r.writers {
			if k.node == n {
				r.min[ref] = max(r.min[ref], k.seen[ref])
			}
		}
	}
	for _, k := range r.writers {
		maps.Copy(r.began, k.ackedAt)
	}
	w.reads = append(w.reads, r)
}

// step asks one shard; it reports whether the read is over.
func (r *read) step(w *world) bool {
	if r.age++; r.age > 200 {
		return true
	}
	if len(r.refs) == 0 {
		r.check(w)
		return true
	}
	ref := r.refs[0]
	if r.strict && !r.proved[ref] {
		if p := w.primary(ref); p != nil && p.commit >= p.start {
			r.min[ref], r.proved[ref] = max(r.min[ref], p.commit), true
		}
		return false
	}
	n := w.random.IntN(simNodes)
	f, st := w.shards[ref][n], w.standing(n, ref)
	if f == nil || st == nil {
		return w.shards[ref] == nil // the shard is gone: the whole read begins anew
	}
	floor := int(st.Floor)
	if w.rules.noFloor {
		floor = 0
	}
	if f.applied < max(r.min[ref], floor) {
		return false
	}
	state := f.state
	if w.rules.noEpochFloor && state != nil {
		other := *state
		other.Epoch = 0
		state = &other
	}
	if err := st.Read(r.epoch, r.strict && !w.rules.noFresh, state); err != nil {
		return fault.Hint(err, move.HintWait) == ""
	}
	for id, val := range f.data {
		if !st.Owned.Has(slotOf(id)) {
			continue
		}
		if _, twice := r.found[id]; twice {
			w.violate("point %d is shown twice in epoch %d", id, r.epoch)
		}
		r.found[id] = val
	}
	r.refs = r.refs[1:]
	return false
}

func (r *read) check(w *world) {
	if w.weak {
		return
	}
	for _, k := range r.writers {
		for _, id := range k.all() {
			if why := k.allows(id, r.found[id], r.began[id]); why != "" {
				w.violate("a read (linearizable %v) through n%d in epoch %d shows point %d as %d: %s", r.strict, r.node, r.epoch, id, r.found[id], why)
			}
		}
	}
}

// allows tells why a value may not be seen by somebody who began when seq was acknowledged; "" if it may.
func (k *writer) allows(id int, val int64, seq int64) string {
	if k.late[id][val] {
		return ""
	}
	if val != absent {
		if seqOf(val) >= seq {
			return ""
		}
		return fmt.Sprintf("request %d was acknowledged", seq)
	}
	switch {
	case seq == 0, k.ackedAt[id] > seq: // it may have been away in between
		return ""
	case k.acked[id] == absent:
		return ""
	case k.req != nil && !k.req.shared && k.req.del != 0 && id%simClasses == k.req.del-1:
		return ""
	}
	return fmt.Sprintf("%d was acknowledged in request %d", k.acked[id], seq)
}
