package coordinator

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// LocalProof proves that a replica on this node leads its shard, for linearizable reads.
type LocalProof interface {
	Confirm(ctx context.Context, ref catalog.ShardRef, term uint64) (index uint64, err error)
}

// RemoteProof is the same of a replica on another peer.
type RemoteProof interface {
	Confirm(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, term uint64) (index uint64, err error)
}

// proof is what a linearizable read stands on: a replica that has applied up to the index shows every write that was committed
// before the read began. The zero value asks for nothing.
type proof struct {
	index uint64
	by    catalog.PeerID // the primary, which is the first to have applied it
}

// confirm asks the shard's primary for the proof, and whoever becomes primary next, until one has it or ctx ends. Nothing is
// changed by asking, so all but a wrong request is asked again.
func (c *Coordinator) confirm(ctx context.Context, ref catalog.ShardRef, epoch uint64) (proof, error) {
	var hint target
	var last error
	for pause := c.opts.RetryMin; ; pause = min(pause*2, c.opts.RetryMax) {
		if ctx.Err() != nil {
			return proof{}, &fault.Error{Class: fault.ClassOf(ctx.Err()), Text: "no primary proved in time that it leads", Cause: last}
		}
		state, changed := c.opts.Metadata.Watch()
		_, sh, err := current(state, ref, epoch)
		if err != nil {
			return proof{}, err
		}
		to := target{sh.Primary, sh.Term}
		if hint.term > to.term {
			to = hint
		}
		index, err := c.confirmAt(ctx, state, sh, ref, to)
		if err == nil {
			return proof{index: index, by: to.primary}, nil
		}
		if !elsewhere(err) || hopeless(err) {
			return proof{}, err
		}
		last = annotate(err, "%s", peerName(state, to.primary))
		if next := hintOf(err); next.term > to.term {
			hint = next // newer than the catalog here: followed at once
			continue
		}
		wake(ctx, changed, pause)
	}
}

// confirmAt makes one try, within Options.ProofTimeout: an old primary that is cut off would never answer.
func (c *Coordinator) confirmAt(ctx context.Context, state *catalog.State, sh *catalog.Shard, ref catalog.ShardRef, to target) (uint64, error) {
	if c.opts.LocalProof == nil || c.opts.RemoteProof == nil {
		return 0, fault.New(fault.Unsupported, "linearizable reads")
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.ProofTimeout)
	defer cancel()
	if to.primary == c.opts.Self {
		return c.opts.LocalProof.Confirm(ctx, ref, to.term)
	}
	if !c.opts.Liveness.Alive(to.primary) {
		return 0, c.deadPrimary(state, sh, to)
	}
	return c.opts.RemoteProof.Confirm(ctx, to.primary, ref, to.term)
}
