package coordinator

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// readRounds is how often the replicas of a shard are tried in turn before a read fails.
const readRounds = 3

// fanOut reads shards of a collection side by side; results[i] is of shards[i]. The first failure ends the others: part
// of an answer is none.
func fanOut[T any](ctx context.Context, c *Coordinator, col *catalog.Collection, shards []*catalog.Shard, q question[T]) ([]T, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	q.epoch = col.Epoch
	busy := c.reading.Add(1) > int64(runtime.NumCPU())
	defer c.reading.Add(-1)
	results := make([]T, len(shards))
	if len(shards) == 1 { // on the request's own goroutine, and nothing to cancel
		var err error
		if results[0], err = readShard(ctx, c, catalog.ShardRef{Collection: col.ID, Shard: shards[0].ID}, q); err != nil {
			return results, failure(shards, []error{err})
		}
		return results, nil
	}
	each := c.each
	if c.allHere(shards) && (busy || c.pace.mean(paceKey{col.ID, q.kind}) < quickRead) {
		each = c.inTurn
	}
	errs := make([]error, len(shards))
	part, stop := context.WithCancel(ctx)
	defer stop()
	each(len(shards), func(i int) {
		ref := catalog.ShardRef{Collection: col.ID, Shard: shards[i].ID}
		if results[i], errs[i] = readShard(part, c, ref, q); errs[i] != nil {
			stop()
		}
	})
	return results, failure(shards, errs)
}

// failure returns what the reading of shards failed with; that their slots have changed their owner before anything else.
func failure(shards []*catalog.Shard, errs []error) error {
	for _, err := range errs {
		if old := staleOf(err); old != nil {
			return old
		}
	}
	return cause(errs, func(i int) catalog.ShardID { return shards[i].ID })
}

// quickRead: reads of a shard that take no longer than this are done before another processor is awake to do them.
const quickRead = 100 * time.Microsecond

// allHere reports whether each shard has its only active replica on this node. Reading such shards is work for the processor alone:
// when there are more reads than processors, or they are quick, side by side is no faster than in turn, and costs more.
func (c *Coordinator) allHere(shards []*catalog.Shard) bool {
	for _, sh := range shards {
		if active := sh.Active(); len(active) != 1 || active[0] != c.opts.Self {
			return false
		}
	}
	return true
}

// inTurn runs f(0..n-1) one after the other; where one takes long, and processors are free, the rest side by side.
func (c *Coordinator) inTurn(n int, f func(i int)) {
	for i := range n {
		start := time.Now()
		f(i)
		if left := n - i - 1; left > 1 && time.Since(start) > 10*quickRead && c.reading.Load() < int64(runtime.NumCPU()) {
			c.each(left, func(j int) { f(i + 1 + j) })
			return
		}
	}
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

// readShard asks the shard's replicas, the best first. When too few have answered it pauses and starts over with what the
// catalog says then, a few times.
func readShard[T any](ctx context.Context, c *Coordinator, ref catalog.ShardRef, q question[T]) (T, error) {
	var none T
	var proof proof
	if q.opts.Consistency == Linearizable {
		var err error
		if proof, err = c.confirm(ctx, ref, q.epoch); err != nil {
			return none, err
		}
	}
	pause := c.opts.RetryMin
	for round := 1; ; round++ {
		state, changed := c.opts.Metadata.Watch()
		col, sh, err := current(state, ref, q.epoch)
		if err != nil {
			return none, err
		}
		w, err := c.plan(state, col, sh, q.opts, q.kind, proof)
		if err != nil {
			return none, err
		}
		answers, err := ask(ctx, c, w, q)
		switch {
		case err == nil:
			return newest(answers, q.version), nil
		case knows(err) > q.epoch:
			return none, &stale{epoch: knows(err), cause: err}
		case !elsewhere(err) || ctx.Err() != nil:
			return none, err
		case round == readRounds && w.need == 1:
			return none, annotate(err, "every active replica failed, the last one on")
		case round == readRounds:
			e := fault.New(fault.Unavailable, "needs the answers of %d replicas, too many of the %d that can be asked failed, the last one", w.need, len(w.sources))
			e.Cause = err
			return none, e
		}
		wake(ctx, changed, pause)
		pause = min(pause*4, c.opts.RetryMax)
	}
}

// plan says who is asked, in which order, and how many have to answer.
func (c *Coordinator) plan(state *catalog.State, col *catalog.Collection, sh *catalog.Shard, o ReadOptions, kind readKind, p proof) (wave, error) {
	ref := catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
	candidates := c.candidates(sh, p.by)
	declared := col.Factor(sh)
	w := wave{need: o.answers(declared)}
	if len(candidates) > 1 {
		w.delay = c.pace.delay(paceKey{col.ID, kind}, col.Config.ReadFanOutDelay)
	}
	switch {
	case len(candidates) >= w.need:
	case w.need == 1:
		return w, fault.New(fault.Unavailable, "none of its active replicas can be read: %s", c.describePeers(state, sh.Active()))
	default:
		verb := "are"
		if len(candidates) == 1 {
			verb = "is"
		}
		return w, fault.New(fault.Unavailable, "the read needs the answers of %d of %d replicas, %d %s there (active: %s)",
			w.need, declared, len(candidates), verb, c.describePeers(state, sh.Active()))
	}
	w.first = o.first(w.need, len(candidates), &col.Config)
	w.sources = make([]source, 0, len(candidates))
	minIndex := max(c.seen.min(ref, sh), p.index)
	for _, id := range candidates {
		w.sources = append(w.sources, source{c: c, state: state, peer: id, ref: ref, minIndex: minIndex})
	}
	return w, nil
}

// candidates orders the active replicas that can be read: the preferred one, this node's, then those whose peer is alive and
// stays, in turn, then those whose peer is shutting down.
func (c *Coordinator) candidates(sh *catalog.Shard, preferred catalog.PeerID) []catalog.PeerID {
	active := sh.Active()
	if len(active) == 1 && active[0] == c.opts.Self {
		return active
	}
	var best, own, alive, leaving []catalog.PeerID
	for _, id := range active {
		switch {
		case id != c.opts.Self && !c.opts.Liveness.Alive(id):
		case id == preferred:
			best = append(best, id)
		case id == c.opts.Self:
			own = append(own, id)
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
	return slices.Concat(best, own, alive, leaving)
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
