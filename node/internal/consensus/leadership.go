package consensus

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Leadership is who leads Raft, as this node knows it.
type Leadership struct {
	Leader  catalog.PeerID // 0: none is known
	Address string         // the leader's, for peers
	Here    bool           // this node leads
	Term    uint64
}

// leadership is the latest Leadership, and whom to wake at the next.
type leadership struct {
	current  atomic.Pointer[leaderView]
	observer *raft.Observer
	signal   chan raft.Observation
}

type leaderView struct {
	Leadership
	changed chan struct{}
}

// follow starts the goroutine that keeps leadership up to date. Raft drops what does not fit into the channel: one
// waiting signal is enough, because what it makes us read is newer than all of them.
func (n *Node) follow() {
	n.lead.signal = make(chan raft.Observation, 1)
	n.lead.current.Store(&leaderView{Leadership: n.look(), changed: make(chan struct{})})
	n.lead.observer = raft.NewObserver(n.lead.signal, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	n.raft.RegisterObserver(n.lead.observer)
	n.work.wg.Go(func() {
		defer n.raft.DeregisterObserver(n.lead.observer)
		for n.noteLeadership(); ; n.noteLeadership() {
			select {
			case <-n.lead.signal:
			case <-n.closing:
				return
			}
		}
	})
}

func (n *Node) noteLeadership() {
	now, was := n.look(), n.lead.current.Load()
	if now == was.Leadership {
		return
	}
	n.lead.current.Store(&leaderView{Leadership: now, changed: make(chan struct{})})
	close(was.changed)
	n.opts.Logger.Info("metadata leader changed", "peer", uint64(now.Leader), "here", now.Here, "term", now.Term)
}

func (n *Node) look() Leadership {
	addr, id := n.raft.LeaderWithID()
	l := Leadership{Leader: peerID(id), Address: string(addr), Here: n.raft.State() == raft.Leader, Term: n.raft.CurrentTerm()}
	if p, ok := n.State().Peers[l.Leader]; ok && p.PeerAddr != "" {
		l.Address = p.PeerAddr
	}
	return l
}

// WatchLeader returns who leads and a channel that is closed when that changes.
func (n *Node) WatchLeader() (Leadership, <-chan struct{}) {
	now := n.lead.current.Load()
	return now.Leadership, now.changed
}

// Leading returns the term in which this node leads, whether it does, and a channel that is closed at the next change of
// leadership.
func (n *Node) Leading() (term uint64, here bool, changed <-chan struct{}) {
	now := n.lead.current.Load()
	return now.Term, now.Here, now.changed
}

// Leader returns the leader and where peers reach it; 0 when none is known.
func (n *Node) Leader() (catalog.PeerID, string) {
	l := n.look()
	return l.Leader, l.Address
}

// IsLeader reports whether this node leads. It may learn late that it does not.
func (n *Node) IsLeader() bool { return n.raft.State() == raft.Leader }

// Term returns Raft's current term.
func (n *Node) Term() uint64 { return n.raft.CurrentTerm() }

// awaitLeader returns when a leader is known.
func (n *Node) awaitLeader(ctx context.Context) error {
	for {
		l, changed := n.WatchLeader()
		if l.Leader != 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, ctx.Err(), "no leader was elected")
		case <-n.closing:
			return fault.New(fault.Unavailable, "this node is closing")
		}
	}
}

// Hurry makes this node doubt its leader, whose process is known to be gone, as soon as Raft allows: when nothing has been heard of it
// for as long as its lease, and not only after the longer time that a leader may be silent for. Nodes that hurry a moment after one
// another elect one of them; a node that is wrong about the leader is refused by those that are not. Calm ends it.
func (n *Node) Hurry() {
	n.Calm() // Raft looks at the clock when its patience becomes shorter, so it is made longer first
	n.reload(n.opts.Timing.LeaderLease)
}

// stand makes a node that is the only voter stand for election at once: there is no leader whom it might hear of. The metadata in
// the store name all voters, even those who were only about to be added.
func (n *Node) stand() {
	voters := n.Voters()
	if _, ok := voters[n.opts.Self]; !ok || len(voters) > 1 {
		return
	}
	n.Hurry()
	n.Calm() // Raft has been woken, and takes the usual time for whoever joins
}

// Calm gives a leader as much time as it usually has.
func (n *Node) Calm() { n.reload(n.opts.Timing.Heartbeat) }

func (n *Node) reload(heartbeat time.Duration) {
	c := n.raft.ReloadableConfig()
	if c.HeartbeatTimeout == heartbeat {
		return
	}
	c.HeartbeatTimeout = heartbeat
	if err := n.raft.ReloadConfig(c); err != nil {
		n.opts.Logger.Warn("raft refuses another timing", "error", err)
	}
}
