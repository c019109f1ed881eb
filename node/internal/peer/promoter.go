package peer

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
)

// PromoterOptions configures a Promoter. Self, Leader, Local and Pool are needed.
type PromoterOptions struct {
	Self   catalog.PeerID
	Leader func() (catalog.PeerID, string) // of Raft; 0 when none is known
	Local  Promotions                      // hears the wishes while this node leads
	Pool   *Pool
	Logger hclog.Logger
	Batch  time.Duration // how long wishes gather; default 10 ms
	// RetryMin and RetryMax bound the pause while no leader takes them; defaults 50 ms and 1 s.
	RetryMin, RetryMax time.Duration
}

// Promoter carries the wishes of this node's replicas for a promotion (R7, and after a fence) to the Raft leader,
// many at a time. A wish stays until a leader has taken it; a newer term of the same shard replaces it.
type Promoter struct {
	opts   PromoterOptions
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{} // capacity 1
	mu     struct {
		sync.Mutex
		wanted map[catalog.ShardRef]uint64 // term
	}
}

// NewPromoter starts its goroutine; Close ends it.
func NewPromoter(opts PromoterOptions) (*Promoter, error) {
	if opts.Self == 0 || opts.Leader == nil || opts.Local == nil || opts.Pool == nil {
		return nil, fault.New(fault.Invalid, "peer promoter: Self, Leader, Local and Pool are needed")
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	opts.Batch = orDefault(opts.Batch, 10*time.Millisecond)
	opts.RetryMin = orDefault(opts.RetryMin, 50*time.Millisecond)
	opts.RetryMax = max(orDefault(opts.RetryMax, time.Second), opts.RetryMin)
	ctx, cancel := context.WithCancel(context.Background())
	p := &Promoter{opts: opts, cancel: cancel, wake: make(chan struct{}, 1)}
	p.mu.wanted = map[catalog.ShardRef]uint64{}
	p.wg.Go(func() { p.run(ctx) })
	return p, nil
}

// Close forgets what waits and returns when the goroutine has ended.
func (p *Promoter) Close() error {
	p.cancel()
	p.wg.Wait()
	return nil
}

// WantPromotion notes that the replica of ref here may not lead in term any more. It never blocks.
func (p *Promoter) WantPromotion(ref catalog.ShardRef, term uint64) {
	p.mu.Lock()
	p.mu.wanted[ref] = max(term, p.mu.wanted[ref])
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Promoter) run(ctx context.Context) {
	pause := p.opts.RetryMin
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
		if !sleep(ctx, p.opts.Batch) {
			return
		}
		for !p.flush(ctx) {
			if !sleep(ctx, jitter(pause)) {
				return
			}
			pause = min(pause*2, p.opts.RetryMax)
		}
		pause = p.opts.RetryMin
	}
}

// flush hands everything to the leader; false if it has to be tried again.
func (p *Promoter) flush(ctx context.Context) bool {
	batch := p.take()
	if len(batch) == 0 {
		return true
	}
	leader, _ := p.opts.Leader()
	if leader == p.opts.Self {
		for ref, term := range batch {
			p.opts.Local.WantPromotion(p.opts.Self, ref, term)
		}
		return true
	}
	err := error(fault.New(fault.Unavailable, "no Raft leader is known"))
	if leader != 0 {
		cctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		err = p.opts.Pool.WantPromotion(cctx, leader, batch)
		cancel()
	}
	if err == nil {
		return true
	}
	p.opts.Logger.Debug("wishes for promotion wait", "shards", len(batch), "error", err)
	p.putBack(batch)
	return false
}

func (p *Promoter) take() map[catalog.ShardRef]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := p.mu.wanted
	p.mu.wanted = map[catalog.ShardRef]uint64{}
	return batch
}

func (p *Promoter) putBack(batch map[catalog.ShardRef]uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ref, term := range batch {
		p.mu.wanted[ref] = max(term, p.mu.wanted[ref])
	}
}

// WantPromotion tells the Raft leader which of this node's replicas may not lead any more.
func (p *Pool) WantPromotion(ctx context.Context, leader catalog.PeerID, wanted map[catalog.ShardRef]uint64) error {
	req := &peerpb.WantPromotionRequest{From: uint64(p.opts.Self)}
	for ref, term := range wanted {
		req.Shards = append(req.Shards, &peerpb.WantShard{Shard: refToWire(ref), Term: term})
	}
	_, err := call(ctx, p, leader, peerpb.PeerClient.WantPromotion, req)
	return err
}
