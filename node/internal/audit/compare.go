package audit

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// How often a comparison is tried, and how far ahead of the shard it aims: at least a round trip, at most less than a
// replica waits.
const (
	maxTries  = 10
	firstLead = 50 * time.Millisecond
	maxLead   = time.Second
)

// Compare compares the active replicas of a shard at one index, reading at most pace bytes a second of each (0: no
// bound), tells their nodes the outcome and counts it. The error is of ctx, or NotFound.
//
// Replicas stand at one index together only by chance while writes go on. So all are asked for their state at an index a little
// ahead: as far as the shard moves, by what was seen of it, within a lead that doubles with each try. Whoever is past it
// already says so, or whoever does not get there, and the next try aims anew. Replicas take a view when they have applied
// exactly that index and read it afterwards: writes do not wait.
func (a *Auditor) Compare(ctx context.Context, ref catalog.ShardRef, pace uint64) (Result, error) {
	aim := &aim{index: 1, lead: firstLead}
	for try := 0; try < maxTries; try++ {
		state, _ := a.opts.Metadata.Watch()
		_, sh, ok := state.Shard(ref)
		if !ok {
			return Result{}, fault.New(fault.NotFound, "shard %s is gone", ref)
		}
		copies, met := a.ask(ctx, ref, sh, aim.index, pace)
		if ctx.Err() != nil {
			return Result{}, fmt.Errorf("compare shard %s: %w", ref, ctx.Err())
		}
		if met && a.unchanged(ref, sh) {
			r := Result{Ref: ref, Index: aim.index, Copies: copies}
			r.decide()
			a.conclude(ctx, sh, &r)
			return r, nil
		}
		aim.next(copies)
	}
	r := Result{Ref: ref, Problem: fmt.Sprintf("the replicas were not seen at the same index in %d tries", maxTries)}
	a.conclude(ctx, nil, &r)
	return r, nil
}

// aim is where a comparison tries to meet the replicas.
type aim struct {
	index uint64
	lead  time.Duration
	seen  uint64 // the furthest that a replica was when it was asked
	at    time.Time
}

// next aims ahead of where the replicas are now.
func (m *aim) next(copies []Copy) {
	now, furthest := time.Now(), m.seen
	for _, c := range copies {
		furthest = max(furthest, c.Index)
	}
	ahead := uint64(0)
	if moved := furthest - m.seen; !m.at.IsZero() && moved > 0 {
		rate := float64(moved) / max(now.Sub(m.at), time.Millisecond).Seconds()
		ahead = uint64(math.Ceil(rate * m.lead.Seconds()))
		m.lead = min(2*m.lead, maxLead)
	}
	m.seen, m.at = furthest, now
	m.index = max(furthest, 1) + ahead
}

// ask asks all active replicas side by side; met tells whether each that answered was at index. The first one that was
// not ends the reading of the others.
func (a *Auditor) ask(ctx context.Context, ref catalog.ShardRef, sh *catalog.Shard, index, pace uint64) (copies []Copy, met bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, r := range sh.Replicas {
		if r.State == catalog.Active {
			copies = append(copies, Copy{Peer: r.Peer, Generation: r.Generation, Primary: r.Peer == sh.Primary})
		}
	}
	missed := make([]bool, len(copies))
	var wg sync.WaitGroup
	for i := range copies {
		wg.Go(func() {
			if missed[i] = !a.sum(ctx, ref, &copies[i], index, pace); missed[i] {
				cancel()
			}
		})
	}
	wg.Wait()
	met = true
	for _, m := range missed {
		met = met && !m
	}
	return copies, met
}

// sum fills in a copy. It reports false if the replica answered from another index, or nobody wants to know any more.
func (a *Auditor) sum(ctx context.Context, ref catalog.ShardRef, c *Copy, index, pace uint64) bool {
	var d replica.Digest
	var err error = fault.New(fault.Unavailable, "its peer does not answer")
	switch {
	case c.Peer == a.opts.Self:
		d, err = a.opts.Local.DigestAt(ctx, ref, c.Generation, index, pace)
	case a.opts.Liveness.Alive(c.Peer):
		d, err = a.opts.Remote.DigestAt(ctx, c.Peer, ref, c.Generation, index, pace)
	}
	c.Index = d.Index
	if err != nil {
		if ctx.Err() != nil || fault.Is(err, fault.StaleEpoch) {
			return false
		}
		c.Problem, c.Damaged = err.Error(), fault.Is(err, fault.Corrupt)
		return true
	}
	c.Digest, c.Points = d.Digest, d.Points
	return d.Exact
}

// unchanged tells whether the replicas that were compared are still those that count.
func (a *Auditor) unchanged(ref catalog.ShardRef, was *catalog.Shard) bool {
	state, _ := a.opts.Metadata.Watch()
	_, sh, ok := state.Shard(ref)
	if !ok || sh.Primary != was.Primary || sh.Term != was.Term {
		return false
	}
	for _, r := range was.Replicas {
		now, _ := sh.Replica(r.Peer)
		if r.State == catalog.Active && (now.State != catalog.Active || now.Generation != r.Generation) {
			return false
		}
	}
	return true
}
