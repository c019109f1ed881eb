package consensus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

const (
	cachedEntries   = 512 // of the log, in memory
	keptSnapshots   = 2
	maxConnections  = 3 // pooled per peer
	callsInFlight   = 1 // no pipelining: raft's can wait for itself for ever once a follower refuses entries
	ioTimeout       = 10 * time.Second
	enqueueTimeout  = 5 * time.Second
	maxProposeBytes = 16 << 20
)

// Node is this node's part in the cluster's metadata. Its methods are safe for concurrent use.
type Node struct {
	opts  Options
	raft  *raft.Raft
	fsm   *fsm
	log   raft.LogStore
	layer *trackedLayer // nil with Options.Transport
	fresh bool

	lead leadership
	gate gate
	turn chan struct{} // capacity 1: commands that need a placement, one at a time

	closing   chan struct{}
	closeOnce sync.Once
	closeErr  error
	work      struct {
		sync.Mutex
		closed bool
		wg     sync.WaitGroup
	}
}

// Open starts the node over what the store holds. A fresh one knows nobody: Bootstrap it, or have a leader add it.
func Open(opts Options) (*Node, error) {
	opts, err := opts.normalized()
	if err != nil {
		return nil, err
	}
	n := &Node{opts: opts, fsm: newFSM(opts.Logger), turn: make(chan struct{}, 1), closing: make(chan struct{})}
	if err := n.open(); err != nil {
		return nil, err
	}
	n.follow()
	return n, nil
}

func (n *Node) open() error {
	j := journal{n.opts.Store.Ledger()}
	// Raft panics when it cannot read back what it stored, so all of it is read before.
	if err := j.ledger.Check(context.Background()); err != nil {
		return fmt.Errorf("read metadata log: %w", err)
	}
	existing, err := raft.HasExistingState(j, j, j)
	if err != nil {
		return fmt.Errorf("read metadata log: %w", err)
	}
	n.fresh = !existing
	if n.log, err = raft.NewLogCache(cachedEntries, j); err != nil {
		return err
	}
	return n.start(j)
}

func (n *Node) start(j journal) error {
	transport := n.opts.Transport
	if transport == nil {
		n.layer = newTrackedLayer(n.opts.Layer, n.opts.Await)
		transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			ServerAddressProvider: addresses{n.fsm}, Stream: n.layer, MaxPool: maxConnections, Timeout: ioTimeout,
			MaxRPCsInFlight: callsInFlight,
			Logger:          n.opts.Logger.Named("raft"),
		})
	}
	if full, ok := transport.(fullTransport); ok {
		a := newAnnouncer(full, n.spawn)
		n.fsm.committed, transport = a.applied, a
	}
	r, err := raft.NewRaft(n.opts.config(), n.fsm, n.log, j, j, transport)
	if err != nil {
		return errors.Join(fmt.Errorf("start raft: %w", err), closeTransport(transport))
	}
	n.raft = r
	n.stand()
	return nil
}

func closeTransport(t raft.Transport) error {
	if c, ok := t.(raft.WithClose); ok {
		return c.Close()
	}
	return nil
}

// Close stops taking part and ends every goroutine; the store stays open. It does not hand leadership over (Handover).
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		n.work.Lock()
		n.work.closed = true
		n.work.Unlock()
		close(n.closing)
		ended := n.raft.Shutdown()
		if n.layer != nil {
			n.layer.closeAll() // before the wait: a call that a cut link holds would last until its deadline
		}
		n.closeErr = ended.Error()
		n.work.wg.Wait()
	})
	return n.closeErr
}

// spawn runs f in a goroutine that Close waits for, unless it is closing already.
func (n *Node) spawn(f func()) bool {
	n.work.Lock()
	defer n.work.Unlock()
	if n.work.closed {
		return false
	}
	n.work.wg.Go(f)
	return true
}

// do runs f in a goroutine that Close waits for, and returns f's error, or ctx's if that ends first; f goes on then.
func (n *Node) do(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	if !n.spawn(func() { done <- f() }) {
		return raft.ErrRaftShutdown
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// State returns the metadata as this node knows it. A node that has just started knows an older state than it had
// before, until a leader has told it what is committed (Barrier).
func (n *Node) State() *catalog.State { return n.fsm.current.Load().state }

// Watch returns the state and a channel that is closed when there is a newer one.
func (n *Node) Watch() (*catalog.State, <-chan struct{}) {
	now := n.fsm.current.Load()
	return now.state, now.changed
}

// AppliedIndex returns the log index of the last command in State.
func (n *Node) AppliedIndex() uint64 { return n.fsm.current.Load().index }

// Problem tells why this node applies no more changes, or nil: it met an entry that it cannot read.
func (n *Node) Problem() error { return n.fsm.current.Load().failure }

// Fresh reports whether the store held nothing of Raft when the node was opened: it belongs to no cluster yet, or is about to join.
func (n *Node) Fresh() bool { return n.fresh }

// Compact folds the log into a snapshot now, as happens by itself from time to time.
func (n *Node) Compact(ctx context.Context) error {
	err := n.do(ctx, func() error { return n.raft.Snapshot().Error() })
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return n.classed(err, "compact the metadata log")
}

// addresses finds peers by id, so that one that came back elsewhere is found where it is registered now.
type addresses struct{ fsm *fsm }

// ServerAddr returns a registered peer's address; an error makes Raft use the one in its configuration.
func (a addresses) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if p, ok := a.fsm.current.Load().state.Peers[peerID(id)]; ok && p.PeerAddr != "" {
		return raft.ServerAddress(p.PeerAddr), nil
	}
	return "", fault.New(fault.NotFound, "peer %s is not registered", id)
}

func serverID(id catalog.PeerID) raft.ServerID {
	return raft.ServerID(strconv.FormatUint(uint64(id), 10))
}

// peerID returns 0 for what is no peer's id.
func peerID(id raft.ServerID) catalog.PeerID {
	n, err := strconv.ParseUint(string(id), 10, 64)
	if err != nil {
		return 0
	}
	return catalog.PeerID(n)
}
