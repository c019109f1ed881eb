package reconcile

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

const (
	fenceTimeout  = time.Second // of one request: a peer that does not answer must not hold up the others' shards
	fencesPerCall = 1024
	callsAtOnce   = 16
)

// Fence asks a peer's replica to promise Term (R5).
type Fence struct {
	Ref        catalog.ShardRef
	Generation catalog.Generation
	Term       uint64
	// Yield lets a primary first answer the writes that it has taken.
	Yield bool
}

// FenceAnswer is what the replica promised and where its log ends; Answered is false if the peer has no such replica.
type FenceAnswer struct {
	Answered                      bool
	Promised, LastTerm, LastIndex uint64
}

// Fencer carries fences to a peer, which may be this node itself. Answers are in order, one per fence.
type Fencer interface {
	Fence(ctx context.Context, to catalog.PeerID, fences []Fence) ([]FenceAnswer, error)
}

// failovers fences all shards' active replicas (R5), one request per peer and not one per shard, and promotes all that
// may be promoted (R6) in as few entries as possible.
func (r *Runner) failovers(ctx context.Context, s *catalog.State, o Observations, steps []Step) {
	ballots := make([]ballot, len(steps))
	for i, step := range steps {
		_, sh, _ := s.Shard(step.Failover.Ref)
		ballots[i] = ballot{Failover: *step.Failover, shard: sh}
	}
	// A primary that gives way as planned is asked before the others: once they have promised a higher term, it could not finish
	// what it has begun.
	r.fence(ctx, s, o, ballots, func(b ballot, id catalog.PeerID) bool { return b.Drain && id == b.shard.Primary })
	r.fence(ctx, s, o, ballots, func(b ballot, id catalog.PeerID) bool { return !b.Drain || id != b.shard.Primary })
	t := newTaste(s, o)
	var promoted []Step
	for i, b := range ballots {
		r.notePromise(b.Ref, b.promised)
		if !b.Unsafe && !b.Whole && b.shard.WriteQuorum == 1 && r.failingFor(steps[i]) >= unsafeGrace {
			b.Unsafe = true // peers are alive, yet their replicas do not answer: the grace has passed all the same
		}
		promote, ok := t.choose(b)
		if !ok {
			r.opts.Logger.Debug("too few replicas answered the fence", "collection", uint64(b.Ref.Collection),
				"shard", uint32(b.Ref.Shard), "term", b.Term, "answers", len(b.answers))
			r.failed(steps[i])
			continue
		}
		change := &catalog.ChangeShard{Ref: b.Ref, Version: b.Version, Promote: promote}
		promoted = append(promoted, Step{Failover: steps[i].Failover, Change: &catalog.Command{ChangeShard: change}, Why: steps[i].Why})
	}
	for batch := range slices.Chunk(promoted, changeBatch) {
		r.propose(ctx, batch)
	}
}

// fence asks those replicas that which wants, the peers side by side, and sorts the answers by shard.
func (r *Runner) fence(ctx context.Context, s *catalog.State, o Observations, ballots []ballot, which func(ballot, catalog.PeerID) bool) {
	type question struct {
		to      catalog.PeerID
		ballots []int
		fences  []Fence
	}
	byPeer := map[catalog.PeerID]*question{}
	var questions []*question
	for i, b := range ballots {
		for _, replica := range b.shard.Replicas {
			if replica.State != catalog.Active || s.Gone(replica.Peer) || !o.alive(replica.Peer) || !which(b, replica.Peer) {
				continue
			}
			q := byPeer[replica.Peer]
			if q == nil || len(q.fences) == fencesPerCall {
				q = &question{to: replica.Peer}
				byPeer[replica.Peer] = q
				questions = append(questions, q)
			}
			q.ballots = append(q.ballots, i)
			q.fences = append(q.fences, Fence{Ref: b.Ref, Generation: replica.Generation, Term: b.Term, Yield: b.Drain})
		}
	}
	var mu sync.Mutex // guards ballots
	var wg sync.WaitGroup
	gate := make(chan struct{}, callsAtOnce)
	for _, q := range questions {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			answers := r.ask(ctx, q.to, q.fences)
			mu.Lock()
			defer mu.Unlock()
			for j, a := range answers {
				ballots[q.ballots[j]].count(q.to, a)
			}
		})
	}
	wg.Wait()
}

// ask returns the answers of one peer, or none.
func (r *Runner) ask(ctx context.Context, to catalog.PeerID, fences []Fence) []FenceAnswer {
	ctx, cancel := context.WithTimeout(ctx, fenceTimeout)
	defer cancel()
	answers, err := r.opts.Fencer.Fence(ctx, to, fences)
	if err != nil || len(answers) != len(fences) {
		r.opts.Logger.Warn("peer did not answer a fence", "peer", uint64(to), "shards", len(fences), "error", err)
		return nil
	}
	return answers
}

// count takes an answer in. A promise beyond the term belongs to another fence: it binds that replica to a later term,
// and the primary of this one could not reach it.
func (b *ballot) count(from catalog.PeerID, a FenceAnswer) {
	switch {
	case !a.Answered || a.Promised < b.Term:
	case a.Promised > b.Term:
		b.promised = max(b.promised, a.Promised)
	default:
		b.answers = append(b.answers, replication.FenceAnswer{
			Peer: replication.PeerID(from), Promised: replication.Term(a.Promised),
			LastTerm: replication.Term(a.LastTerm), LastIndex: replication.Index(a.LastIndex),
		})
	}
}
