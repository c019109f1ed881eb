package replica

import (
	"context"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// How long a proposer waits between two tries of the same change, and for one try.
const (
	proposeBackoff = 200 * time.Millisecond
	proposeTimeout = 5 * time.Second
)

// proposer carries a replica's wish for a metadata change to the catalog until the shard's version moves. The
// wish is a compare-and-set, so trying it again is harmless, and an unknown outcome resolves itself: the core does
// nothing with the peer in question until it learns a newer version (replication.md, demoting and adding replicas).
type proposer struct {
	r   *runner
	ctx context.Context
	wg  sync.WaitGroup
	mu  struct {
		sync.Mutex
		version uint64 // the newest the runner has learned
		current uint64 // the version that the wish at work is for; 0 = none
		moved   chan struct{}
	}
}

func newProposer(ctx context.Context, r *runner) *proposer {
	p := &proposer{r: r, ctx: ctx}
	p.mu.moved = make(chan struct{})
	return p
}

// learned ends the wish at work if the shard has changed since.
func (p *proposer) learned(version uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if version > p.mu.version {
		p.mu.version = version
		close(p.mu.moved)
		p.mu.moved = make(chan struct{})
	}
}

// propose starts on a wish, unless it is out of date or already at work.
func (p *proposer) propose(c replication.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.Version < p.mu.version || c.Version == p.mu.current || p.ctx.Err() != nil {
		return
	}
	p.mu.current = c.Version
	p.wg.Add(1)
	go p.work(c, p.mu.moved)
}

func (p *proposer) work(c replication.Change, moved <-chan struct{}) {
	defer p.wg.Done()
	cmd := commandOf(p.r.ref, c)
	for {
		ctx, cancel := context.WithTimeout(p.ctx, proposeTimeout)
		_, err := p.r.opts.Metadata.Propose(ctx, cmd)
		cancel()
		if err == nil {
			p.r.opts.Metrics.changed(cmd.ChangeShard)
			p.r.logger.Info("shard membership changed", "change", describe(cmd.ChangeShard))
		} else if !fault.Is(err, fault.Conflict) {
			p.r.logger.Debug("membership change not made yet", "change", describe(cmd.ChangeShard), "error", err)
		}
		select {
		case <-moved:
			return
		case <-p.ctx.Done():
			return
		case <-time.After(proposeBackoff):
		}
	}
}

func (p *proposer) close() { p.wg.Wait() }
