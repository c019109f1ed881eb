package reconcile

import (
	"fmt"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

var sprint = fmt.Sprintf

// operations ends those that have reached what they are for, or that lost it.
func (p *planner) operations() {
	for _, o := range p.state.Operations {
		if o.State != catalog.Running {
			continue
		}
		state, why := p.ended(o)
		if state == "" {
			continue
		}
		end := &catalog.EndOperation{ID: o.ID, State: state}
		if state != catalog.Done {
			end.Problem = why
		}
		p.add(Step{Change: &catalog.Command{EndOperation: end}, Why: why})
	}
}

// ended tells how an operation ended, "" if it has not.
func (p *planner) ended(o *catalog.Operation) (catalog.OperationState, string) {
	if _, ok := p.state.Collections[o.Collection]; o.Collection != 0 && !ok {
		return catalog.Cancelled, "the collection was deleted"
	}
	switch o.Kind {
	case catalog.Drain:
		return p.drained(o)
	case catalog.Replicate:
		return p.placed(o)
	case catalog.Rebalance:
		return p.rebalanced(o)
	case catalog.Resharding:
		return p.resharded(o)
	case catalog.Fill:
		return p.filled(o)
	}
	return "", ""
}

// filled ends an operation once nothing of it is left to clean up. That it was given up, or a key of it deleted, has ended it before.
func (p *planner) filled(o *catalog.Operation) (catalog.OperationState, string) {
	if len(p.state.Collections[o.Collection].Parts(o.ID)) > 0 {
		return "", ""
	}
	return catalog.Done, "the shard key has what it was to have, and serves"
}

func (p *planner) drained(o *catalog.Operation) (catalog.OperationState, string) {
	if p.state.Gone(o.Peer) {
		return catalog.Done, "the peer is gone"
	}
	if p.state.ReplicasOn(o.Peer) == 0 {
		return catalog.Done, "the peer holds nothing any more"
	}
	return "", ""
}

func (p *planner) placed(o *catalog.Operation) (catalog.OperationState, string) {
	at := o.Placement
	ref := catalog.ShardRef{Collection: o.Collection, Shard: at.Shard}
	_, sh, ok := p.state.Shard(ref)
	if !ok {
		return catalog.Cancelled, "the shard is gone"
	}
	if at.To != 0 && p.state.Gone(at.To) {
		return catalog.Failed, "the peer that the copy was to be on is gone"
	}
	to, has := sh.Replica(at.To)
	_, had := sh.Replica(at.From)
	reached := (at.To == 0 || has && to.State == catalog.Active && !to.Retiring) && (at.From == 0 || !had)
	switch {
	case reached:
		return catalog.Done, "the copies are where they were wanted"
	case at.To != 0 && !slices.Contains(sh.Pinned, at.To), at.From != 0 && slices.Contains(sh.Pinned, at.From), len(sh.Pinned) == 0:
		return catalog.Cancelled, "the shard was placed in another way since"
	}
	return "", ""
}

// rebalanced ends an operation once nothing is on its way and nothing more is planned for the sake of balance.
func (p *planner) rebalanced(o *catalog.Operation) (catalog.OperationState, string) {
	if p.state.Settings.IsPaused() || len(p.steps) > 0 || !p.quiet() || !p.obs.calm(p.state) || p.balancing() {
		return "", ""
	}
	for i := range p.looks {
		if l := &p.looks[i]; l.handing || l.sh.Handover || !l.atRest && l.led(p) && o.Collection == 0 {
			return "", ""
		}
	}
	return catalog.Done, "what the peers hold is even"
}
