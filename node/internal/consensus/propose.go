package consensus

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

const retryPause = 50 * time.Millisecond

// Propose makes changes, in one entry of the log and in order, from any node, and returns when this node's own State
// shows them. Results tell what became of each; of a single command the Result's error is returned as well.
//
// It looks for the leader and tries again as long as the change has surely not been made, for Timing.Propose or nine tenths of the time
// that ctx has left, whichever is less: who asked gets an answer, and not the end of its deadline. An error with the hint fault.HintOutcome means that nobody knows: the change may still be
// applied. It is not tried again then, because a second attempt of a compare-and-set or of a creation would fail on
// the first one's success.
func (n *Node) Propose(ctx context.Context, cmds ...catalog.Command) ([]catalog.Result, error) {
	for _, cmd := range cmds {
		if err := cmd.Check(); err != nil {
			return nil, err
		}
	}
	if len(cmds) == 0 {
		return nil, nil
	}
	results, err := n.propose(ctx, cmds)
	if err == nil && len(results) == 1 {
		err = results[0].Err
	}
	return results, err
}

func (n *Node) propose(ctx context.Context, cmds []catalog.Command) ([]catalog.Result, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, n.opts.Timing.Propose)
		defer cancel()
	}
	enough := time.NewTimer(n.patience(ctx))
	defer enough.Stop()
	for {
		_, changed := n.WatchLeader() // before the attempt: a change meanwhile is a reason to try at once
		index, results, err := n.attempt(ctx, cmds)
		if err == nil {
			return results, n.visible(ctx, index)
		}
		if !mayRetry(err, cmds) {
			return nil, explain(err, cmds)
		}
		select {
		case <-changed:
		case <-time.After(retryPause):
		case <-enough.C:
			return nil, gaveUp(ctx, err)
		case <-ctx.Done():
			return nil, gaveUp(ctx, err)
		case <-n.closing:
			return nil, fault.Wrap(fault.Unavailable, err, "this node is closing, nothing was changed")
		}
	}
}

// patience is how long a leader is looked for.
func (n *Node) patience(ctx context.Context) time.Duration {
	until, ok := ctx.Deadline()
	if !ok {
		return n.opts.Timing.Propose
	}
	left := time.Until(until)
	return min(left-left/10, n.opts.Timing.Propose)
}

// attempt makes the changes here or on the leader, once.
func (n *Node) attempt(ctx context.Context, cmds []catalog.Command) (uint64, []catalog.Result, error) {
	l := n.look()
	switch {
	case l.Here:
		return n.ApplyHere(ctx, cmds)
	case l.Leader == 0:
		return 0, nil, fault.New(fault.Unavailable, "the cluster has no leader")
	case n.opts.Forward == nil:
		return 0, nil, n.notPrimary()
	}
	index, results, err := n.opts.Forward.Propose(ctx, l.Address, catalog.EncodeCommands(cmds))
	if err == nil && len(results) != len(cmds) {
		err = fault.New(fault.Internal, "the leader answered %d results to %d commands", len(results), len(cmds)).
			With(fault.HintOutcome, fault.OutcomeUnknown)
	}
	return index, results, err
}

// mayRetry reports whether another attempt can help and do no harm: the change was surely not made, or there is none.
func mayRetry(err error, cmds []catalog.Command) bool {
	if len(cmds) > 0 && fault.Hint(err, fault.HintOutcome) == fault.OutcomeUnknown {
		return false
	}
	return slices.Contains([]fault.Class{fault.NotPrimary, fault.Unavailable, fault.Exhausted}, fault.ClassOf(err))
}

// explain adds to an unknown outcome what its proposer has to look at.
func explain(err error, cmds []catalog.Command) error {
	if len(cmds) == 0 || fault.Hint(err, fault.HintOutcome) != fault.OutcomeUnknown {
		return err
	}
	what := "the change may still be applied"
	if len(cmds) == 1 {
		switch {
		case cmds[0].CreateCollection != nil:
			what = "collection `" + cmds[0].CreateCollection.Name + "` may still be created: look for it before creating it again"
		case cmds[0].ChangeShard != nil:
			what = "the shard may still change: read its version before the next change"
		}
	}
	e := &fault.Error{Class: fault.ClassOf(err), Text: what, Cause: err}
	return e.With(fault.HintOutcome, fault.OutcomeUnknown)
}

func gaveUp(ctx context.Context, last error) error {
	class := fault.Unavailable
	if errors.Is(ctx.Err(), context.Canceled) {
		class = fault.Canceled
	}
	return fault.Wrap(class, last, "no leader took the change in time, nothing was changed")
}

// visible waits until this node shows what was committed at index.
func (n *Node) visible(ctx context.Context, index uint64) error {
	err := n.fsm.wait(ctx, index)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		e := &fault.Error{Class: fault.Timeout, Text: "the change was made, but this node does not show it yet", Cause: err}
		return e.With(fault.HintOutcome, fault.OutcomeUnknown)
	}
	return err
}

// ApplyHere makes changes on the leader and returns the index of their entry; it does not forward (fault.NotPrimary
// names who leads). Without commands it waits until everything committed is applied and returns that index.
func (n *Node) ApplyHere(ctx context.Context, cmds []catalog.Command) (uint64, []catalog.Result, error) {
	if !n.IsLeader() {
		return 0, nil, n.notPrimary()
	}
	if err := n.Problem(); err != nil {
		return 0, nil, err
	}
	if len(cmds) == 0 {
		return n.barrierHere(ctx)
	}
	if !slices.ContainsFunc(cmds, needsPreparation) {
		return n.applyHere(ctx, cmds, make([]catalog.Result, len(cmds)))
	}
	// One at a time, from looking at the state to seeing the outcome in it: placements made side by side on the same
	// state would all choose the same peers.
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return 0, nil, fault.Wrap(fault.Unavailable, ctx.Err(), "other collections are being created, nothing was changed")
	}
	if _, _, err := n.barrierHere(ctx); err != nil {
		return 0, nil, err
	}
	prepared, results := n.prepare(cmds)
	return n.applyHere(ctx, prepared, results)
}

// needsPreparation tells which commands may place shards.
func needsPreparation(cmd catalog.Command) bool {
	return cmd.CreateCollection != nil || cmd.ExpelPeer != nil || cmd.Reshard != nil || cmd.CancelOperation != nil || cmd.CreateShardKey != nil
}

// prepare fills the commands in; one that cannot be gets its result right away.
func (n *Node) prepare(cmds []catalog.Command) ([]catalog.Command, []catalog.Result) {
	state, results, prepared := n.State(), make([]catalog.Result, len(cmds)), make([]catalog.Command, len(cmds))
	for i, cmd := range cmds {
		prepared[i], results[i].Err = n.opts.Prepare(state, cmd)
	}
	return prepared, results
}

// applyHere commits the commands that have no result yet in one entry.
func (n *Node) applyHere(ctx context.Context, cmds []catalog.Command, results []catalog.Result) (uint64, []catalog.Result, error) {
	var entry []catalog.Command
	for i, cmd := range cmds {
		if results[i].Err == nil {
			results[i].Err = cmd.Check()
		}
		if results[i].Err == nil {
			entry = append(entry, cmd)
		}
	}
	if len(entry) == 0 {
		return n.AppliedIndex(), results, nil
	}
	index, done, err := n.commit(ctx, catalog.EncodeCommands(entry))
	if err != nil {
		return 0, nil, err
	}
	for i := range results {
		if results[i].Err == nil {
			results[i], done = done[0], done[1:]
		}
	}
	return index, results, nil
}

func (n *Node) commit(ctx context.Context, entry []byte) (index uint64, results []catalog.Result, err error) {
	if len(entry) > maxProposeBytes {
		return 0, nil, fault.New(fault.Invalid, "a metadata change of %d bytes is too large, at most %d are allowed", len(entry), maxProposeBytes)
	}
	type outcome struct {
		index uint64
		applied
	}
	leave, err := n.gate.enter(ctx)
	if err != nil {
		return 0, nil, fault.Wrap(fault.Unavailable, err, "leadership is being handed over, nothing was changed")
	}
	defer leave()
	done := make(chan outcome, 1)
	err = n.do(ctx, func() error {
		future := n.raft.Apply(entry, min(remaining(ctx), enqueueTimeout))
		if err := future.Error(); err != nil {
			return err
		}
		done <- outcome{future.Index(), future.Response().(applied)}
		return nil
	})
	if err != nil {
		return 0, nil, n.classed(err, "change the metadata")
	}
	o := <-done
	return o.index, o.results, o.err
}

func (n *Node) barrierHere(ctx context.Context) (uint64, []catalog.Result, error) {
	err := n.do(ctx, func() error { return n.raft.Barrier(remaining(ctx)).Error() })
	if err != nil {
		// Nothing was to be changed, so nothing is unknown.
		return 0, nil, fault.Wrap(fault.ClassOf(n.classed(err, "")), err, "wait for committed metadata")
	}
	return n.AppliedIndex(), nil, nil
}
