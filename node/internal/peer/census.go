package peer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// StatusAsker asks a peer, which may be this one, for the statuses of its replicas.
type StatusAsker interface {
	Status(ctx context.Context, to catalog.PeerID, refs []catalog.ShardRef) ([]replica.Status, error)
}

// CensusOptions configures a Census. Self, Metadata, Leading, Liveness, Local and Remote are needed.
type CensusOptions struct {
	Self     catalog.PeerID
	Metadata Metadata
	// Leading returns whether this node leads the metadata, and a channel closed when that changes.
	Leading  func() (term uint64, here bool, changed <-chan struct{})
	Liveness Liveness
	Local    func(refs []catalog.ShardRef) []replica.Status
	Remote   StatusAsker
	Every    time.Duration // between two counts; default 5 s
	Timeout  time.Duration // of one peer's answer; default 2 s
}

// Census knows how large the shards are, while its node leads the metadata: every few seconds it asks all peers for all their
// replicas. Its one goroutine, and the requests it makes side by side, end with Close.
type Census struct {
	opts   CensusOptions
	bytes  atomic.Pointer[map[catalog.ShardRef]uint64]
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// NewCensus starts to count.
func NewCensus(opts CensusOptions) (*Census, error) {
	if opts.Self == 0 || opts.Metadata == nil || opts.Leading == nil || opts.Liveness == nil || opts.Local == nil || opts.Remote == nil {
		return nil, fault.New(fault.Invalid, "peer census: an option is missing")
	}
	opts.Every, opts.Timeout = orDefault(opts.Every, 5*time.Second), orDefault(opts.Timeout, 2*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	c := &Census{opts: opts, cancel: cancel}
	c.bytes.Store(&map[catalog.ShardRef]uint64{})
	c.wg.Go(func() { c.run(ctx) })
	return c, nil
}

// Close ends the counting.
func (c *Census) Close() error {
	c.cancel()
	c.wg.Wait()
	return nil
}

// Bytes returns the size of one copy of each shard, as last counted: nobody changes the map.
func (c *Census) Bytes() map[catalog.ShardRef]uint64 { return *c.bytes.Load() }

func (c *Census) run(ctx context.Context) {
	ticker := time.NewTicker(c.opts.Every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		_, here, changed := c.opts.Leading()
		if here {
			c.count(ctx)
		}
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// count asks everybody. A shard of whom nobody answered is as large as it was; one that is gone is forgotten.
func (c *Census) count(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	state, _ := c.opts.Metadata.Watch()
	var mu sync.Mutex // guards all
	var all []replica.Status
	var wg sync.WaitGroup
	for id := range state.Peers {
		if state.Gone(id) || !c.opts.Liveness.Alive(id) {
			continue
		}
		wg.Go(func() {
			statuses := c.ask(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, statuses...)
		})
	}
	wg.Wait()
	bytes := Sizes(all)
	for ref, size := range c.Bytes() {
		if _, counted := bytes[ref]; !counted {
			bytes[ref] = size
		}
	}
	for ref := range bytes {
		if _, _, ok := state.Shard(ref); !ok {
			delete(bytes, ref)
		}
	}
	c.bytes.Store(&bytes)
}

func (c *Census) ask(ctx context.Context, id catalog.PeerID) []replica.Status {
	if id == c.opts.Self {
		return c.opts.Local(nil)
	}
	statuses, err := c.opts.Remote.Status(ctx, id, nil)
	if err != nil {
		return nil // it is asked again soon
	}
	return statuses
}

// Sizes returns the size of the largest copy of each shard: others may be about to be filled.
func Sizes(statuses []replica.Status) map[catalog.ShardRef]uint64 {
	bytes := make(map[catalog.ShardRef]uint64, len(statuses))
	for _, st := range statuses {
		bytes[st.Ref] = max(bytes[st.Ref], st.Bytes)
	}
	return bytes
}
