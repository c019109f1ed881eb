package peer

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Raft is what Admission needs of consensus.
type Raft interface {
	Leader() (catalog.PeerID, string) // 0 when none is known
	Barrier(ctx context.Context) error
	Voters() map[catalog.PeerID]string
	AddVoter(ctx context.Context, id catalog.PeerID, addr string) error
	RemoveVoter(ctx context.Context, id catalog.PeerID) error
}

// Liveness tells which peers answer.
type Liveness interface {
	Alive(catalog.PeerID) bool
}

// AdmissionOptions configures an Admission. Only Logger may be left out.
type AdmissionOptions struct {
	Self       catalog.PeerID
	Membership *Membership
	Metadata   Metadata
	Raft       Raft
	Proposer   Proposer
	Liveness   Liveness
	Pool       *Pool // to forward to the leader
	Dial       Dialer
	Logger     hclog.Logger
	Timeout    time.Duration // of one Hello to an advertised address; default 2 s
}

// Admission lets nodes into the cluster: on the Raft leader it checks and adds them, elsewhere it forwards to the
// leader. It implements Joiner.
type Admission struct {
	opts AdmissionOptions
	turn chan struct{} // capacity 1: one node at a time, so that names and addresses stay unique
}

// NewAdmission returns an Admission.
func NewAdmission(opts AdmissionOptions) (*Admission, error) {
	if opts.Self == 0 || opts.Membership == nil || opts.Metadata == nil || opts.Raft == nil || opts.Proposer == nil ||
		opts.Liveness == nil || opts.Pool == nil || opts.Dial == nil {
		return nil, fault.New(fault.Invalid, "peer admission: an option is missing")
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	opts.Timeout = orDefault(opts.Timeout, 2*time.Second)
	return &Admission{opts: opts, turn: make(chan struct{}, 1)}, nil
}

// Join lets p in, or tells why not. A known peer that comes back with other addresses, zone or version is registered
// anew. Asking again after a success or after a failure half-way is harmless.
func (a *Admission) Join(ctx context.Context, p catalog.Peer, forwarded bool) (JoinAnswer, error) {
	leader, addr := a.opts.Raft.Leader()
	if leader != a.opts.Self {
		return a.forward(ctx, p, leader, addr, forwarded)
	}
	if err := checkPeer(p); err != nil {
		return JoinAnswer{}, err
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return JoinAnswer{}, ctx.Err()
	}
	if err := a.opts.Raft.Barrier(ctx); err != nil { // names are checked against what is committed
		return JoinAnswer{}, err
	}
	if err := a.admit(ctx, p); err != nil {
		return JoinAnswer{}, err
	}
	return a.answer(), nil
}

func (a *Admission) forward(ctx context.Context, p catalog.Peer, leader catalog.PeerID, addr string, forwarded bool) (JoinAnswer, error) {
	if leader == 0 || addr == "" {
		return JoinAnswer{}, fault.New(fault.Unavailable, "the cluster has no leader at the moment")
	}
	if forwarded { // two nodes that take one another for the leader must not play ball
		return JoinAnswer{}, fault.New(fault.NotPrimary, "this node is no longer the leader").
			With("primary", strconv.FormatUint(uint64(leader), 10))
	}
	return a.opts.Pool.forwardJoin(ctx, addr, p)
}

// checkPeer checks what a node says of itself.
func checkPeer(p catalog.Peer) error {
	if p.ID == 0 || p.ID > MaxPeerID {
		return fault.New(fault.Invalid, "peer id %d: want 1..%d", p.ID, MaxPeerID)
	}
	if p.Name == "" || len(p.Name) > 255 || strings.ContainsFunc(p.Name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xfffd }) {
		return fault.New(fault.Invalid, "node name %.64q: want 1 to 255 bytes without spaces and control characters", p.Name)
	}
	for what, addr := range map[string]string{"peer": p.PeerAddr, "gRPC": p.GRPCAddr} {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || host == "" || port == "" || port == "0" {
			return fault.New(fault.Invalid, "advertised %s address %.64q: want HOST:PORT", what, addr)
		}
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			return fault.New(fault.Invalid, "advertised %s address %q: other nodes cannot reach %s, advertise this node's own address", what, addr, host)
		}
	}
	return nil
}

// admit makes p a voter, then a registered peer: in this order, because Raft must reach p before p can learn
// anything, and a repeated request finishes what a crash between the two left.
func (a *Admission) admit(ctx context.Context, p catalog.Peer) error {
	state, _ := a.opts.Metadata.Watch()
	if err := a.checkName(ctx, state, p); err != nil {
		return err
	}
	voters := a.opts.Raft.Voters()
	if p.ID != a.opts.Self && voters[p.ID] != p.PeerAddr {
		if err := a.checkAddress(ctx, p); err != nil {
			return err
		}
		if err := a.addVoter(ctx, state, voters, p); err != nil {
			return err
		}
	}
	if known, ok := state.Peers[p.ID]; ok && known.Says(p) {
		return nil
	}
	_, results, err := a.opts.Proposer.ApplyHere(ctx, []catalog.Command{{RegisterPeer: &p}})
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	a.opts.Logger.Info("peer joined", "peer", uint64(p.ID), "name", p.Name, "address", p.PeerAddr)
	return nil
}

// checkName refuses a name that a live peer with another id holds. The monitor is a second or two late, so a peer
// that it takes for alive is asked: a node whose disk was wiped may be back before its former self counts as dead.
func (a *Admission) checkName(ctx context.Context, state *catalog.State, p catalog.Peer) error {
	for id, other := range state.Peers {
		if other.Name != p.Name || id == p.ID || other.Gone() || !a.opts.Liveness.Alive(id) {
			continue
		}
		if id != a.opts.Self {
			intro, err := a.hello(ctx, other.PeerAddr)
			if err != nil || intro.Peer.ID != id {
				continue
			}
		}
		return fault.New(fault.Exists, "the name %q belongs to peer %d at %s, which is alive: choose another --name, or stop that node first",
			p.Name, id, other.PeerAddr)
	}
	return nil
}

// checkAddress makes sure that the node answers where it says: a voter that nobody can reach may cost the quorum.
func (a *Admission) checkAddress(ctx context.Context, p catalog.Peer) error {
	intro, err := a.hello(ctx, p.PeerAddr)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the leader cannot reach the advertised peer address %s", p.PeerAddr)
	}
	if intro.Peer.ID != p.ID {
		return fault.New(fault.Invalid, "at the advertised peer address %s answers node %q (peer %d): advertise this node's own address",
			p.PeerAddr, intro.Peer.Name, intro.Peer.ID)
	}
	if own := a.opts.Membership.ID(); intro.ClusterID != "" && intro.ClusterID != own {
		return fault.New(fault.FailedPrecondition, "the node belongs to cluster %q, not to %q: its data directory is another cluster's", intro.ClusterID, own)
	}
	return nil
}

func (a *Admission) hello(ctx context.Context, addr string) (Introduction, error) {
	ctx, cancel := context.WithTimeout(ctx, a.opts.Timeout)
	defer cancel()
	return Hello(ctx, a.opts.Dial, a.opts.Membership, addr)
}

// addVoter first removes the voters that p replaces (its name or its address, another id): their disks are gone, and
// Raft refuses one address twice.
func (a *Admission) addVoter(ctx context.Context, state *catalog.State, voters map[catalog.PeerID]string, p catalog.Peer) error {
	for id, addr := range voters {
		known, ok := state.Peers[id]
		if id == p.ID || (addr != p.PeerAddr && (!ok || known.Name != p.Name)) {
			continue
		}
		a.opts.Logger.Warn("removing a voter whose place another peer takes", "peer", uint64(id), "by", uint64(p.ID), "name", p.Name)
		if err := a.opts.Raft.RemoveVoter(ctx, id); err != nil {
			return keepClass(err, "remove voter %d", id)
		}
	}
	return keepClass(a.opts.Raft.AddVoter(ctx, p.ID, p.PeerAddr), "add voter %d", p.ID)
}

// keepClass adds a context to an error without changing what a caller may do about it.
func keepClass(err error, format string, args ...any) error {
	class := fault.ClassOf(err)
	if class == fault.Internal && errors.Is(err, context.DeadlineExceeded) {
		class = fault.Timeout
	}
	return fault.Wrap(class, err, format, args...)
}

func (a *Admission) answer() JoinAnswer {
	state, _ := a.opts.Metadata.Watch()
	answer := JoinAnswer{ClusterID: state.ClusterID}
	for _, p := range state.Peers {
		answer.Peers = append(answer.Peers, *p)
	}
	slices.SortFunc(answer.Peers, func(x, y catalog.Peer) int { return strings.Compare(x.Name, y.Name) })
	return answer
}
