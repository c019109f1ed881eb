package audit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Auditor compares and repairs. One goroutine checks in the background, and one per copy to repair waits for it to be
// made anew; Close ends all.
type Auditor struct {
	opts    Options
	metrics *metrics
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	mu      struct {
		sync.Mutex
		closed  bool
		repairs map[target]bool
	}
}

// New starts the check in the background.
func New(opts Options) (*Auditor, error) {
	opts, err := opts.validated()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	a := &Auditor{opts: opts, metrics: m}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.mu.repairs = map[target]bool{}
	if opts.Every > 0 {
		a.wg.Go(a.check)
	}
	return a, nil
}

// Close ends what is under way and returns when it has ended.
func (a *Auditor) Close() error {
	a.mu.Lock()
	a.mu.closed = true
	a.mu.Unlock()
	a.cancel()
	a.wg.Wait()
	return nil
}

// DigestAt passes on to the replicas here, for other nodes.
func (a *Auditor) DigestAt(ctx context.Context, ref catalog.ShardRef, gen catalog.Generation, index, pace uint64) (replica.Digest, error) {
	return a.opts.Local.DigestAt(ctx, ref, gen, index, pace)
}

// check compares each shard that is led from here, every now and then. What is new gets its turn at a random time, so
// that neither all shards nor all nodes read at once.
func (a *Auditor) check() {
	due := map[catalog.ShardRef]time.Time{}
	for {
		ref, at, ok := a.schedule(due)
		wait := time.Until(at)
		if !ok || wait > a.opts.Every/8 {
			wait = a.opts.Every / 8 // to see what has changed meanwhile
			ok = false
		}
		timer := time.NewTimer(max(wait, 0))
		select {
		case <-timer.C:
		case <-a.ctx.Done():
			timer.Stop()
			return
		}
		if !ok {
			continue
		}
		due[ref] = time.Now().Add(a.opts.Every)
		if _, err := a.Compare(a.ctx, ref, a.opts.Pace); err != nil && a.ctx.Err() == nil {
			a.opts.Logger.Debug("shard was not compared", "shard", ref.String(), "error", err)
		}
	}
}

// schedule brings due up to date with what is led from here and returns what is due first.
func (a *Auditor) schedule(due map[catalog.ShardRef]time.Time) (first catalog.ShardRef, at time.Time, ok bool) {
	state, _ := a.opts.Metadata.Watch()
	for ref := range due {
		if _, sh, found := state.Shard(ref); !found || sh.Primary != a.opts.Self {
			delete(due, ref)
		}
	}
	for ref, sh := range state.Shards() {
		if sh.Primary != a.opts.Self || len(sh.Active()) < 2 {
			continue
		}
		when, known := due[ref]
		if !known {
			when = time.Now().Add(rand.N(a.opts.Every))
			due[ref] = when
		}
		if !ok || when.Before(at) {
			first, at, ok = ref, when, true
		}
	}
	return first, at, ok
}

// conclude counts and tells. sh is what was compared, nil if nothing was.
func (a *Auditor) conclude(ctx context.Context, sh *catalog.Shard, r *Result) {
	if sh == nil || !r.Compared {
		a.metrics.checks.WithLabelValues(notCompared).Inc()
		return
	}
	bad := 0
	for _, c := range r.Copies {
		if c.Differs {
			bad++
		}
		if c.Differs || c.summed() {
			a.metrics.compared.Inc()
		}
	}
	a.metrics.different.Add(float64(bad))
	if bad == 0 {
		a.metrics.checks.WithLabelValues(equal).Inc()
	} else {
		a.metrics.checks.WithLabelValues(different).Inc()
		a.report(r)
	}
	a.tell(ctx, sh, r)
}

// report logs a difference, an event for each copy in the minority.
func (a *Auditor) report(r *Result) {
	state, _ := a.opts.Metadata.Watch()
	name := ""
	if col, ok := state.Collections[r.Ref.Collection]; ok {
		name = col.Name
	}
	a.opts.Logger.Error("replicas differ: the minority is not read any more and is filled anew", "collection", name,
		"shard", uint32(r.Ref.Shard), "index", r.Index, "what", r.Problem)
	for _, c := range r.Copies {
		if c.Differs {
			a.opts.Events.Append(event.Event{
				Kind: event.ReplicaDiffers, Severity: event.Error, Collection: name, Shard: uint32(r.Ref.Shard), HasShard: true,
				Peer: uint64(c.Peer), Text: r.Problem,
			})
		}
	}
}

// tellTimeout bounds how long a node may take to hear a verdict.
const tellTimeout = 5 * time.Second

// tell sends the verdict to whom it concerns: the active replicas, and the Raft leader, who moves primaries. A node that
// does not hear it goes on as before; the next comparison tells it again.
func (a *Auditor) tell(ctx context.Context, sh *catalog.Shard, r *Result) {
	judgements := r.judgements()
	audience := map[catalog.PeerID]bool{}
	for _, id := range sh.Active() {
		audience[id] = true
	}
	if leader, _ := a.opts.Metadata.Leader(); leader != 0 {
		audience[leader] = true
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for id := range audience {
		if id == a.opts.Self {
			a.Verdict(r.Ref, judgements)
			continue
		}
		if !a.opts.Liveness.Alive(id) {
			continue
		}
		wg.Go(func() {
			if err := a.opts.Remote.Verdict(ctx, id, r.Ref, judgements); err != nil {
				a.opts.Logger.Warn("peer was not told what a comparison came to", "peer", uint64(id), "error", err)
			}
		})
	}
	wg.Wait()
}
