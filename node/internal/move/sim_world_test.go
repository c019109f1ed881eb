package move_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

const (
	simNodes   = 3
	simWriters = 3
	simIDs     = 8 // per writer
	simClasses = 3 // of ids, for deletes by filter
)

// rules are the parts of the protocol that a walk may leave out, to see that it is missed.
type rules struct {
	noSeals, noOwner, noSettled, noMore, noUnsafe, noAccept, noForeign, noFloor, noEpochFloor, noFresh, noTracker, noVersion, eagerUnseal, noSealApplied, noStand, noPlace, noTogether, noSourceEpoch bool
}

// entry is one place of a shard's log.
type entry struct {
	term uint64
	put  int   // id, or 0
	val  int64 // of put
	del  int   // 1 + class of a delete by filter, or 0
	own  int   // writer whose ids the delete is about
	in   *slot.Set
	ctl  move.Op
	part *part // who waits for it
}

// replica is one copy of a shard, and its driver as far as moves are concerned.
type replica struct {
	node            int
	log             []entry
	commit, applied int
	data            map[int]int64
	ver             map[int]int
	state           *move.State
	tracks          map[catalog.MoveID]*track
	follows         uint64 // the term of the primary that it last synced with

	lead  uint64 // the term that it believes to lead; 0: none
	start int    // its TermStart
	more  []move.Seal
	did   map[catalog.MoveID]bool // Accept appended in this term
	swept int
	undid map[catalog.MoveID]uint64 // the version whose seal was ended
	drove map[catalog.MoveID]int    // the last entry of the drivers, which wait for it to be applied
	fed   map[catalog.MoveID]int    // the last entry of a pass
	sure  map[catalog.MoveID]assurance
}

type track struct {
	slots   slot.Set
	reach   int
	changed map[int]int
}

type node struct{ view int }

// world is a cluster in which everything that protocols other than that of moves do is done at once and by the rules: logs
// replicate in steps, primaries are replaced, and catalogs lag behind.
type world struct {
	random  *rand.Rand
	rules   rules
	weak    bool
	history []*catalog.State
	nodes   [simNodes]node
	shards  map[catalog.ShardRef]map[int]*replica
	flight  []catalog.Command

	standings map[standingKey]*move.Standing // that were asked for
	feeds     map[feedKey]*feed
	writers   []*writer
	reads     []*read
	trace     []string
	failed    string
	now       int
	flips     int
	pending   []*part // requests under way
	calm      bool    // nothing breaks any more
	lazy      int     // a node that learns of the catalog late, or -1
	slow      int     // a node whose replicas are late, or -1
	bias      bias
	narrow    bool // the walk is about one change of the number of shards
	trouble   bool // of a narrow walk: it has begun
	fills     bool // the collection has shard keys, and the walk is about filling one (sim_fill_test.go)
	activated int
	until     int // a narrow walk goes on for a while after an activation
	oldest    int // the state that a node falls back to at most
}

// bias is what a walk has more of.
type bias uint8

const (
	even            bias = iota
	promoteSealing       // primaries of sources are replaced while a move is sealing
	promoteFlipping      // ... while a flip is on its way
	readMore
	loseSeals // primaries of sources are lost with a seal that nobody else has, while the last pass is on its way
	biases
)

type standingKey struct {
	view int
	ref  catalog.ShardRef
}

func (w *world) latest() *catalog.State { return w.history[len(w.history)-1] }

func (w *world) view(n int) *catalog.State { return w.history[w.nodes[n].view] }

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%4d ", w.now)+fmt.Sprintf(format, args...))
}

func (w *world) violate(format string, args ...any) {
	if w.failed == "" {
		w.failed = fmt.Sprintf(format, args...)
		w.note("VIOLATION: %s", w.failed)
	}
}

func newWorld(seed uint64, weak, fills bool, r rules) *world {
	w := &world{
		random: rand.New(rand.NewPCG(seed, 7)), rules: r, weak: weak, fills: fills, history: []*catalog.State{catalog.Empty()},
		shards: map[catalog.ShardRef]map[int]*replica{}, feeds: map[feedKey]*feed{},
		standings: map[standingKey]*move.Standing{},
	}
	w.lazy, w.slow = w.random.IntN(simNodes+1)-1, w.random.IntN(simNodes+1)-1
	for i := range simNodes {
		w.propose(catalog.Command{RegisterPeer: &catalog.Peer{ID: catalog.PeerID(i + 1), Name: fmt.Sprint("n", i), PeerAddr: "h:1"}})
	}
	quorum := uint32(2)
	if weak {
		quorum = 1
	}
	config := catalog.Config{ShardNumber: 1 + w.random.Uint32N(3), ReplicationFactor: simNodes, WriteConsistencyFactor: quorum}
	if fills {
		config.Sharding = catalog.CustomSharding
	}
	w.propose(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "c", Config: config}})
	if fills {
		w.createKey(simFallback, false)
		w.createKey(simTenant, true)
		w.oldest = len(w.history) - 1
	}
	for i := range simWriters {
		w.writers = append(w.writers, newWriter(w, i))
	}
	for n := range simNodes {
		w.learn(n, len(w.history)-1)
	}
	return w
}

// propose applies a command to the catalog and makes the replicas that it wants.
func (w *world) propose(cmd catalog.Command) {
	before := w.latest()
	cmd, err := catalog.Prepare(before, cmd, func(catalog.PeerID) bool { return true })
	if err != nil {
		return
	}
	flip := cmd.ChangeMove != nil && cmd.ChangeMove.Flip != nil
	if flip && w.rules.noUnsafe {
		if c, ok := before.Collections[cmd.ChangeMove.Collection]; ok {
			if m, ok := c.Move(cmd.ChangeMove.Move); ok {
				source, ok1 := c.Shard(m.Source)
				target, ok2 := c.Shard(m.Target)
				if !ok1 || !ok2 {
					return
				}
				cmd.ChangeMove.Flip.SourceUnsafe, cmd.ChangeMove.Flip.TargetUnsafe = source.UnsafePromotions, target.UnsafePromotions
			}
		}
	}
	next, r := catalog.Apply(w.mutated(before, cmd), cmd)
	if r.Err != nil {
		return
	}
	w.mutate(before, next)
	b, _ := json.Marshal(cmd)
	w.note("catalog %d: %s", len(w.history), b)
	if flip {
		w.flips++
		w.checkFlips(before, next, cmd)
	}
	w.history = append(w.history, next)
	for ref, sh := range next.Shards() {
		if w.shards[ref] == nil {
			w.shards[ref] = map[int]*replica{}
			for _, rep := range sh.Replicas {
				w.shards[ref][int(rep.Peer)-1] = newReplica(int(rep.Peer) - 1)
			}
		}
	}
	for ref := range w.shards {
		if _, _, ok := next.Shard(ref); !ok {
			delete(w.shards, ref)
		}
	}
}

func newReplica(n int) *replica {
	return &replica{node: n, data: map[int]int64{}, ver: map[int]int{}, tracks: map[catalog.MoveID]*track{}}
}

// primary returns the replica that the latest catalog names, if its node knows so.
func (w *world) primary(ref catalog.ShardRef) *replica {
	_, sh, ok := w.latest().Shard(ref)
	if !ok {
		return nil
	}
	if r := w.shards[ref][int(sh.Primary)-1]; r.lead == sh.Term {
		return r
	}
	return nil
}

// standing is what a node's catalog says of a shard, nil if nothing.
func (w *world) standing(n int, ref catalog.ShardRef) *move.Standing {
	s := w.view(n)
	key := standingKey{w.nodes[n].view, ref}
	if st, ok := w.standings[key]; ok {
		return st
	}
	var st *move.Standing
	if col, sh, ok := s.Shard(ref); ok {
		st = move.StandingOf(s, col, sh)
	}
	w.standings[key] = st
	return st
}

// learn brings a node's catalog to a version, and lets its replicas draw the conclusions.
func (w *world) learn(n, to int) {
	w.nodes[n].view = to
	for _, ref := range w.refs() {
		r := w.shards[ref][n]
		st := w.standing(n, ref)
		if r == nil || st == nil {
			continue
		}
		_, sh, _ := w.view(n).Shard(ref)
		mine := int(sh.Primary) == n+1
		if r.lead != 0 && (!mine || sh.Term != r.lead) {
			r.lead = 0
		}
		if mine && sh.Term > r.follows && r.lead == 0 {
			r.lead, r.follows, r.more, r.did, r.drove, r.undid, r.swept = sh.Term, sh.Term, nil, map[catalog.MoveID]bool{}, map[catalog.MoveID]int{}, map[catalog.MoveID]uint64{}, 0
			r.fed, r.sure = map[catalog.MoveID]int{}, map[catalog.MoveID]assurance{}
			r.log = append(r.log, entry{term: sh.Term})
			r.start = len(r.log)
			w.note("n%d leads %s in term %d from %d", n, ref, sh.Term, r.start)
		}
		w.follow(n, ref, r)
		w.duties(n, ref, r)
	}
}

// follow starts and ends the trackers.
func (w *world) follow(n int, ref catalog.ShardRef, r *replica) {
	col, _, _ := w.view(n).Shard(ref)
	wanted := map[catalog.MoveID]bool{}
	for _, m := range col.Moves {
		if m.Source == ref.Shard && m.Running() {
			wanted[m.ID] = true
			if r.tracks[m.ID] == nil {
				r.tracks[m.ID] = &track{slots: slot.SetOf(m.Slots...), reach: r.applied, changed: map[int]int{}}
			}
		}
	}
	maps.DeleteFunc(r.tracks, func(id catalog.MoveID, _ *track) bool { return !wanted[id] })
}

// duties appends what a primary has to append before anything else.
func (w *world) duties(n int, ref catalog.ShardRef, r *replica) {
	st := w.standing(n, ref)
	if r.lead == 0 || st == nil {
		return
	}
	for _, a := range st.Accepts(r.state) {
		if !r.did[a.Move] && !w.rules.noAccept {
			r.did[a.Move] = true
			w.append(ref, r, entry{ctl: a})
		}
	}
	for _, u := range st.Ends(r.state) {
		if r.undid[u.Move] < u.Version {
			r.undid[u.Move] = u.Version
			w.append(ref, r, entry{ctl: u.Op})
		}
	}
	if w.rules.eagerUnseal && r.state != nil {
		for _, x := range r.state.Sealed {
			w.append(ref, r, entry{ctl: move.Unseal{Move: x.Move, Version: x.Version}})
		}
	}
}

func (w *world) refs() []catalog.ShardRef {
	return slices.SortedFunc(maps.Keys(w.shards), func(a, b catalog.ShardRef) int { return int(a.Shard) - int(b.Shard) })
}

func (w *world) append(ref catalog.ShardRef, r *replica, e entry) {
	e.term = r.lead
	r.log = append(r.log, e)
	w.note("n%d appends to %s at %d: %s", r.node, ref, len(r.log), e)
	w.advance(ref, r)
}

func (e entry) String() string {
	switch {
	case e.put != 0:
		return fmt.Sprintf("put %d=%d (slot %d)", e.put, e.val, slotOf(e.put))
	case e.del != 0:
		return fmt.Sprintf("delete class %d of writer %d", e.del-1, e.own)
	case e.ctl != nil:
		if c, ok := e.ctl.(move.Chunk); ok {
			return fmt.Sprintf("Chunk{%d cut %d %x..%x last %v %s}", c.Move, c.Cut, c.From, c.To, c.Last, c.Data)
		}
		if d, ok := e.ctl.(move.Delta); ok {
			return fmt.Sprintf("Delta{%d %d..%d part %d last %v sealed %d %s}", d.Move, d.After, d.To, d.Part, d.Last, d.Sealed, d.Data)
		}
		return fmt.Sprintf("%T%+v", e.ctl, e.ctl)
	}
	return "start"
}

// advance commits what enough replicas hold, as far as a primary knows, and answers who waits.
func (w *world) advance(ref catalog.ShardRef, r *replica) {
	if r.lead == 0 {
		return
	}
	held := len(r.log)
	if !w.weak {
		held = 0
		for _, f := range w.shards[ref] {
			if f != r && f.follows == r.lead && f.lead == 0 {
				held = max(held, len(f.log)) // W is 2, the primary among them
			}
		}
	}
	if held < r.start || held <= r.commit {
		return
	}
	for i := r.commit; i < held; i++ {
		if p := r.log[i].part; p != nil && r.log[i].term == r.lead {
			p.acknowledge(i + 1)
		}
	}
	r.commit = held
}

// sync brings a replica nearer to the primary's log.
func (w *world) sync(ref catalog.ShardRef, f *replica) {
	p := w.primary(ref)
	if p == nil || p == f {
		return
	}
	same := 0
	for same < len(f.log) && same < len(p.log) && f.log[same].term == p.log[same].term {
		same++
	}
	if f.applied > same { // only after an unsafe promotion: it begins anew
		fresh := newReplica(f.node)
		fresh.log, fresh.commit, fresh.applied = slices.Clone(p.log[:p.applied]), p.applied, p.applied
		fresh.data, fresh.ver, fresh.state = maps.Clone(p.data), maps.Clone(p.ver), p.state
		*f = *fresh
	} else if same < len(f.log) {
		f.log = slices.Clone(f.log[:same])
	}
	f.lead, f.follows = 0, p.lead
	to := min(len(p.log), len(f.log)+1+w.random.IntN(6))
	f.log = append(f.log, p.log[len(f.log):to]...)
	f.commit = max(min(p.commit, len(f.log)), f.applied)
	w.advance(ref, p)
}

// promote replaces a shard's primary by the rules: with enough answers, or unsafely.
func (w *world) promote(ref catalog.ShardRef) {
	asked := w.random.Perm(simNodes)
	w.promoteBy(ref, asked[:1+w.random.IntN(simNodes)])
}

// promoteBy replaces a shard's primary by the answers of some nodes.
func (w *world) promoteBy(ref catalog.ShardRef, asked []int) {
	_, sh, ok := w.latest().Shard(ref)
	if !ok {
		return
	}
	if w.bias == promoteSealing && w.slow >= 0 && !slices.Contains(asked, w.slow) {
		asked = append(asked, w.slow)
	}
	enough := simNodes - int(sh.WriteQuorum) + 1
	if len(asked) < enough && !w.weak {
		return
	}
	best := -1
	for _, n := range asked {
		f := w.shards[ref][n]
		if best >= 0 && best == w.slow && last(f) == last(w.shards[ref][best]) && len(f.log) == len(w.shards[ref][best].log) {
			f.lead = 0
			continue
		}
		if best < 0 || n == w.slow && last(f) == last(w.shards[ref][best]) && len(f.log) == len(w.shards[ref][best].log) || last(f) > last(w.shards[ref][best]) || last(f) == last(w.shards[ref][best]) && len(f.log) > len(w.shards[ref][best].log) {
			best = n
		}
		f.lead = 0 // fenced
	}
	w.propose(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: sh.Version, Promote: &catalog.Promote{
		Term: sh.Term + 1, Candidate: catalog.PeerID(best + 1), Unsafe: len(asked) < enough,
	}}})
}

func last(r *replica) uint64 {
	if len(r.log) == 0 {
		return 0
	}
	return r.log[len(r.log)-1].term
}

// crash restarts a node: what is in memory is gone, and its catalog may be older for a while.
func (w *world) crash(n int) {
	w.note("n%d restarts", n)
	for _, ref := range w.refs() {
		if r := w.shards[ref][n]; r != nil {
			r.lead, r.tracks, r.more = 0, map[catalog.MoveID]*track{}, nil
		}
	}
	for key := range w.feeds {
		if key.node == n {
			delete(w.feeds, key)
		}
	}
	w.learn(n, w.oldest+w.random.IntN(w.nodes[n].view-w.oldest+1))
}

func slotOf(id int) slot.Slot { return slot.Of(point.Num(uint64(id))) }

func keyOf(id int) []byte { return point.Num(uint64(id)).AppendKey(nil) }
