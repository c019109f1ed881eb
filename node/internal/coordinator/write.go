package coordinator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// WriteOptions says how a write is answered.
type WriteOptions struct {
	Wait bool // once W replicas have applied it; else once W replicas hold it
	Keys *Keys

	raw bool // the operation is as shards take it
}

// WriteResult is the answer to a write.
type WriteResult struct {
	OperationID uint64 // the highest log index that a part of it got
	Completed   bool   // every part has been applied by W replicas
}

// Write makes one change to a collection (by its name or an alias), on every shard that it concerns.
//
// Whether a part is sent again depends on what the error says about it, never on the kind of operation: even
// a plain upsert, sent twice, could undo what another client wrote in between.
//
//	NotPrimary, StaleEpoch   refused before it was logged        refresh the catalog, or follow the hint; again
//	Unavailable              not sent, or not open               again after a pause
//	Exhausted                a queue is full                     again after a pause, for a second: who waits for longer takes
//	                                                             memory, and whoever sent it should slow down
//	  ... with the hint outcome=unknown                          not again: "may still be committed"
//	Timeout, Canceled        the outcome is unknown              not again
//	FailedPrecondition       too few active replicas for W       not again: only an operator or time helps
//	Exhausted, disk full     too few replicas with room for W    not again: likewise
//	Invalid, NotFound, ...   the operation's own failure         not again: it would fail again
//	Internal, Corrupt        unexpected                          not again: the outcome is unknown
//
// It gives up at the deadline of ctx (Options.Timeout when it has none), and at once when the primary is dead and no
// other active replica lives that could take its place, or when it waits for a change of the metadata that too few peers answer for. If some shards failed, the error names each with its
// cause and says how many succeeded; its class is that of the first.
func (c *Coordinator) Write(ctx context.Context, collection string, op point.Op, opts WriteOptions) (WriteResult, error) {
	col, err := c.Lookup(ctx, collection)
	if err != nil {
		return WriteResult{}, err
	}
	op = tokenizedOp(col, op)
	if !opts.raw {
		if err := checkOp(&col.Config, op); err != nil {
			return WriteResult{}, err
		}
		op = innerOf(col).op(col, op)
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	if col, err = c.routeWrite(ctx, col, opts); err != nil {
		return WriteResult{}, err
	}
	parts, err := splitKeys(col, op, c.opts.MaxOpBytes)
	if err != nil {
		return WriteResult{}, err
	}
	total := WriteResult{Completed: true}
	for len(parts) > 0 {
		if col, parts, err = c.writeRound(ctx, col, op, parts, opts, &total); err == nil {
			continue
		}
		if total.OperationID > 0 && fault.Hint(err, fault.HintOutcome) == "" { // nobody may take it for refused and send it again
			err = annotate(err, "a part of it is done").With(fault.HintOutcome, fault.OutcomeUnknown)
		}
		return WriteResult{}, err
	}
	return total, nil
}

// writeRound sends parts, and splits what of them was surely not done, as slots have changed their owner, by the collection as it is now.
func (c *Coordinator) writeRound(
	ctx context.Context, col *catalog.Collection, op point.Op, parts []part, opts WriteOptions, total *WriteResult,
) (now *catalog.Collection, next []part, err error) {
	left, old, err := c.writeParts(ctx, col, parts, c.full(op), opts.Wait, total)
	if err != nil || old == nil {
		return col, nil, err
	}
	if now, err = c.newer(ctx, col.ID, old); err != nil {
		return nil, nil, err
	}
	if now, err = c.routeWrite(ctx, now, opts); err != nil {
		return nil, nil, err
	}
	next, err = c.resplit(col, now, op, left, opts)
	return now, next, err
}

// resplit splits what is left of a write by a newer state of the collection. What the cluster itself writes is done once more as a whole,
// which changes nothing where it is done: meanwhile another shard key may have points that had been in one.
func (c *Coordinator) resplit(was, now *catalog.Collection, op point.Op, left []part, opts WriteOptions) (parts []part, err error) {
	if opts.raw {
		return splitKeys(now, op, c.opts.MaxOpBytes)
	}
	for _, p := range left {
		again, err := splitAgain(was, now, p, opts.Keys, c.opts.MaxOpBytes)
		if err != nil {
			return nil, err
		}
		parts = append(parts, again...)
	}
	return parts, nil
}

// Forget removes from all points what they hold of a vector that is no longer declared, by its inner name: it takes room, and nobody
// sees it.
func (c *Coordinator) Forget(ctx context.Context, collection, inner string) error {
	col, err := c.Lookup(ctx, collection)
	if err != nil {
		return err
	}
	for name := range col.Config.Vectors {
		if col.Config.Inner(name) == inner {
			return fault.New(fault.Internal, "vector %q is declared", name)
		}
	}
	for name := range col.Config.SparseVectors {
		if col.Config.Inner(name) == inner {
			return fault.New(fault.Internal, "vector %q is declared", name)
		}
	}
	op := point.DeleteVectors{Selector: point.Selector{Filter: filter.Encode(nil)}, Names: []string{inner}}
	_, err = c.Write(ctx, collection, op, WriteOptions{raw: true})
	return err
}

// writeParts sends the parts of a write, and sums up what is done. What of them was surely not done because slots have changed
// their owner comes back.
func (c *Coordinator) writeParts(ctx context.Context, col *catalog.Collection, parts []part, full map[catalog.PeerID]error, wait bool, total *WriteResult) (left []part, old *stale, err error) {
	doubtful, rest := byHope(col, parts, full)
	tried := 0
	for _, group := range [][]part{doubtful, rest} {
		if old != nil {
			return append(left, group...), old, nil // whether they are hopeless has to be asked again first
		}
		results, errs := make([]WriteResult, len(group)), make([]error, len(group))
		c.each(len(group), func(i int) {
			results[i], errs[i] = c.writePart(ctx, col, &group[i], wait)
		})
		tried += len(group)
		for i := range group {
			var s *stale
			if errors.As(errs[i], &s) {
				old, errs[i] = s, nil
				left = append(left, group[i])
			}
		}
		if err := partial(errs, tried, len(parts), func(i int) catalog.ShardID { return group[i].shard }); err != nil {
			return nil, nil, err
		}
		for _, r := range results {
			total.OperationID = max(total.OperationID, r.OperationID)
			total.Completed = total.Completed && (r.Completed || r == WriteResult{})
		}
	}
	return left, old, nil
}

// full returns whose disks are full, as far as that matters to an operation.
func (c *Coordinator) full(op point.Op) map[catalog.PeerID]error {
	if c.opts.Disks == nil || !point.Grows(op) {
		return nil
	}
	return c.opts.Disks.Full()
}

// byHope separates the parts whose shards have too few active replicas for W, or too few with room, as far as is known here. They are
// sent first, so that a write of several shards is refused before anything is applied. That they are sent at all is because this node's catalog may
// be behind, and the primary knows.
func byHope(col *catalog.Collection, parts []part, full map[catalog.PeerID]error) (doubtful, rest []part) {
	few := map[catalog.ShardID]bool{}
	for _, sh := range col.Shards {
		able := 0
		for _, id := range sh.Active() {
			if full[id] == nil {
				able++
			}
		}
		few[sh.ID] = able < int(sh.WriteQuorum)
	}
	for _, p := range parts {
		if few[p.shard] {
			doubtful = append(doubtful, p)
		} else {
			rest = append(rest, p)
		}
	}
	return doubtful, rest
}

// each runs f(0..n-1) side by side, at most Parallel at once, and returns when all have ended.
func (c *Coordinator) each(n int, f func(i int)) {
	if n == 1 {
		f(0)
		return
	}
	gate := make(chan struct{}, c.opts.Parallel)
	var wg sync.WaitGroup
	for i := range n {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			f(i)
		})
	}
	wg.Wait()
}

// writePart appends a shard's operations in order; a failure leaves the later ones out. Those that are done are taken out of the part.
func (c *Coordinator) writePart(ctx context.Context, col *catalog.Collection, p *part, wait bool) (last WriteResult, err error) {
	ref := catalog.ShardRef{Collection: col.ID, Shard: p.shard}
	for i, count := 0, len(p.ops); i < count; i++ {
		// Operations of one log complete in order: only the last has to be waited for, but each for its own error.
		r, err := c.writeOp(ctx, ref, col.Epoch, p.ops[0], wait)
		var old *stale
		if errors.As(err, &old) {
			return last, old
		}
		if err != nil {
			if i > 0 {
				half := annotate(err, "operation %d of %d for this shard (the ones before are done)", i+1, count)
				err = half.With(fault.HintOutcome, fault.OutcomeUnknown)
			}
			return WriteResult{}, err
		}
		last, p.ops = r, p.ops[1:]
	}
	return last, nil
}

// target is whom a write goes to, and the term that it is sent with.
type target struct {
	primary catalog.PeerID
	term    uint64
}

// writeOp sends one operation to the shard's primary until it is answered, or is not to be sent again.
func (c *Coordinator) writeOp(ctx context.Context, ref catalog.ShardRef, epoch uint64, op []byte, wait bool) (WriteResult, error) {
	var hint target
	var last error
	var full time.Time // since when a queue has been full
	for pause := c.opts.RetryMin; ; pause = min(pause*2, c.opts.RetryMax) {
		if ctx.Err() != nil {
			return WriteResult{}, gaveUp(ctx, last)
		}
		state, changed := c.opts.Metadata.Watch()
		_, sh, err := current(state, ref, epoch)
		if err != nil {
			return WriteResult{}, err
		}
		to := target{sh.Primary, sh.Term}
		if hint.term > to.term {
			to = hint
		}
		r, err := c.attempt(ctx, state, sh, ref, to, epoch, op, wait)
		if err == nil {
			c.seen.note(state, ref, r.OperationID)
			return r, nil
		}
		if fault.Hint(err, replication.HintMetadata) != "" {
			err = c.unlessStuck(err, state)
		}
		if fault.Is(err, fault.Exhausted) && full.IsZero() {
			full = time.Now()
		}
		if !sure(err) || hopeless(err) || fault.Hint(err, disk.HintFull) != "" || fault.Is(err, fault.Exhausted) && time.Since(full) >= c.opts.FullPatience {
			return WriteResult{}, c.explain(err, state, sh, to)
		}
		last = err
		if next := hintOf(err); next.term > to.term {
			hint = next // newer than the catalog here: followed at once
			continue
		}
		wake(ctx, changed, pause)
	}
}

// attempt makes one try. What it does not send fails with a class that sure accepts.
func (c *Coordinator) attempt(ctx context.Context, state *catalog.State, sh *catalog.Shard, ref catalog.ShardRef, to target, epoch uint64, op []byte, wait bool) (r WriteResult, err error) {
	if to.primary == c.opts.Self {
		r.OperationID, r.Completed, err = c.opts.Local.Write(ctx, ref, to.term, epoch, op, wait)
		return r, err
	}
	if !c.opts.Liveness.Alive(to.primary) {
		return r, c.deadPrimary(state, sh, to)
	}
	r.OperationID, r.Completed, err = c.opts.Remote.Write(ctx, to.primary, ref, to.term, epoch, op, wait)
	return r, err
}

// deadPrimary is worth waiting for only if somebody lives who could be promoted.
func (c *Coordinator) deadPrimary(state *catalog.State, sh *catalog.Shard, to target) error {
	err := fault.New(fault.Unavailable, "its primary %s does not answer; nothing was sent", peerName(state, to.primary))
	for _, id := range sh.Active() {
		if id != to.primary && c.opts.Liveness.Alive(id) {
			return err
		}
	}
	err.Text = "its primary " + peerName(state, to.primary) + " does not answer and no other active replica lives (active: " +
		c.describePeers(state, sh.Active()) + "); nothing was sent"
	return err.With(hintHopeless, "true")
}

// unlessStuck returns err, or the refusal that it comes to while too few peers answer for the metadata to change.
func (c *Coordinator) unlessStuck(err error, state *catalog.State) error {
	members, answer := state.Members(), 0
	for id, p := range state.Peers {
		if !p.Gone() && (id == c.opts.Self || c.opts.Liveness.Alive(id)) {
			answer++
		}
	}
	if answer > members/2 {
		return err
	}
	stuck := &fault.Error{Class: fault.Unavailable, Hints: hintsOf(err), Text: fmt.Sprintf(
		"%v, and the metadata cannot change while %d of %d peers answer: bring the others back", err, answer, members)}
	return stuck.With(hintHopeless, "true")
}

// hintHopeless marks an error of this package that waiting is not expected to cure.
const hintHopeless = "hopeless"

func hopeless(err error) bool { return fault.Hint(err, hintHopeless) != "" }

// sure reports whether a failed write was surely not applied, and may be applied later if it is sent again.
func sure(err error) bool {
	if fault.Hint(err, fault.HintOutcome) == fault.OutcomeUnknown {
		return false
	}
	switch fault.ClassOf(err) {
	case fault.NotPrimary, fault.StaleEpoch, fault.Unavailable, fault.Exhausted:
		return true
	default:
		return false
	}
}

// hintOf reads whom a replica took for the primary.
func hintOf(err error) target {
	primary, err1 := strconv.ParseUint(fault.Hint(err, "primary"), 10, 64)
	term, err2 := strconv.ParseUint(fault.Hint(err, "term"), 10, 64)
	if err1 != nil || err2 != nil || primary == 0 {
		return target{}
	}
	return target{catalog.PeerID(primary), term}
}

// wake waits for a newer catalog, the pause, or the end of ctx. The catalog may change all the time for other shards'
// sake, so a change shortens the pause to a millisecond, not to nothing.
func wake(ctx context.Context, changed <-chan struct{}, pause time.Duration) {
	timer := time.NewTimer(pause/2 + time.Duration(rand.Int64N(int64(pause))))
	defer timer.Stop()
	select {
	case <-changed:
		timer.Reset(time.Millisecond)
	case <-timer.C:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
