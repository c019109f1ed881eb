package peer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
)

// Introduction is what a node says of itself, also before it is a member.
type Introduction struct {
	Peer      catalog.Peer
	ClusterID string // "" before it is a member
	Expect    uint32 // its --bootstrap-expect; 0 = not given
}

// SeekOptions configures Join and Form. Addresses, Self, Membership and Dial are needed.
type SeekOptions struct {
	Addresses  []string // peer addresses given by --join
	Self       catalog.Peer
	Membership *Membership
	Dial       Dialer
	Logger     hclog.Logger
	Timeout    time.Duration // of one Hello; default 2 s
	// JoinTimeout bounds one request to join, which waits for Raft; default 15 s.
	JoinTimeout        time.Duration
	RetryMin, RetryMax time.Duration // pause between rounds; defaults 100 ms and 2 s
}

func (o SeekOptions) normalized() (SeekOptions, error) {
	if o.Self.ID == 0 || o.Membership == nil || o.Dial == nil {
		return o, fault.New(fault.Invalid, "join: Self, Membership and Dial are needed")
	}
	if len(o.Addresses) == 0 {
		return o, fault.New(fault.Invalid, "join: no address is given")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	o.Timeout = orDefault(o.Timeout, 2*time.Second)
	o.JoinTimeout = orDefault(o.JoinTimeout, 15*time.Second)
	o.RetryMin = orDefault(o.RetryMin, 100*time.Millisecond)
	o.RetryMax = max(orDefault(o.RetryMax, 2*time.Second), o.RetryMin)
	return o, nil
}

// Hello asks the node at addr who it is.
func Hello(ctx context.Context, dialer Dialer, m *Membership, addr string) (Introduction, error) {
	c, err := dial(addr, dialer, m)
	if err != nil {
		return Introduction{}, err
	}
	defer func() { _ = c.cc.Close() }()
	resp, err := callConn(ctx, c, peerpb.PeerClient.Hello, &peerpb.HelloRequest{})
	if err != nil {
		return Introduction{}, err
	}
	info, err := infoFromWire(resp.GetPeer())
	return Introduction{Peer: info, ClusterID: resp.GetClusterId(), Expect: resp.GetExpect()}, err
}

func joinBy(ctx context.Context, c *conn, self catalog.Peer, forwarded bool) (JoinAnswer, error) {
	resp, err := callConn(ctx, c, peerpb.PeerClient.Join, &peerpb.JoinRequest{Peer: infoToWire(self), Forwarded: forwarded})
	if err != nil {
		return JoinAnswer{}, err
	}
	answer := JoinAnswer{ClusterID: resp.GetClusterId()}
	for _, w := range resp.GetPeers() {
		info, err := infoFromWire(w)
		if err != nil {
			return JoinAnswer{}, err
		}
		answer.Peers = append(answer.Peers, info)
	}
	return answer, nil
}

// Join asks the nodes at the addresses, one after the other and again with growing pauses, to be let into their
// cluster, until one does or ctx ends. The cluster's id is adopted before it returns. A refusal for good (the name is
// taken, the request is wrong, another cluster) ends it at once.
func Join(ctx context.Context, opts SeekOptions) (JoinAnswer, error) {
	opts, err := opts.normalized()
	if err != nil {
		return JoinAnswer{}, err
	}
	pause := opts.RetryMin
	for {
		answer, err := joinRound(ctx, opts)
		if err == nil || final(err) {
			return answer, err
		}
		opts.Logger.Info("not let into the cluster yet", "error", err)
		if !sleep(ctx, jitter(pause)) {
			return JoinAnswer{}, fault.Wrap(fault.Unavailable, err, "join the cluster by %q", opts.Addresses)
		}
		pause = min(pause*2, opts.RetryMax)
	}
}

// final reports whether asking again cannot help.
func final(err error) bool {
	switch fault.ClassOf(err) {
	case fault.Exists, fault.Invalid, fault.Denied, fault.Unauthenticated, fault.Unsupported, fault.FailedPrecondition:
		return true
	default:
		return false
	}
}

// joinRound asks each address once.
func joinRound(ctx context.Context, opts SeekOptions) (JoinAnswer, error) {
	var errs []error
	for _, addr := range opts.Addresses {
		if addr == opts.Self.PeerAddr {
			continue
		}
		answer, err := joinAt(ctx, opts, addr)
		if err == nil {
			return answer, opts.Membership.Adopt(answer.ClusterID)
		}
		if final(err) {
			return JoinAnswer{}, err
		}
		errs = append(errs, fault.Wrap(fault.ClassOf(err), err, "%s", addr))
	}
	if len(errs) == 0 {
		return JoinAnswer{}, fault.New(fault.Invalid, "join: the only address given, %s, is this node's own", opts.Self.PeerAddr)
	}
	return JoinAnswer{}, errors.Join(errs...)
}

func joinAt(ctx context.Context, opts SeekOptions, addr string) (JoinAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.JoinTimeout)
	defer cancel()
	c, err := dial(addr, opts.Dial, opts.Membership)
	if err != nil {
		return JoinAnswer{}, err
	}
	defer func() { _ = c.cc.Close() }()
	return joinBy(ctx, c, opts.Self, false)
}

// Part is what a node does to get into a cluster that expects several nodes.
type Part uint8

// The parts.
const (
	JoinCluster  Part = iota // a cluster exists or another node founds it: Join
	FoundCluster             // this node founds it; the others join
)

// Form decides a node's part when all nodes start alike with --bootstrap-expect expect and the same --join list. It
// waits until a member of a cluster answers (join it), or until exactly expect distinct nodes answered, this one
// included, none of them a member: the one with the lowest peer id founds the cluster.
//
// That no two nodes found one each rests on every node seeing the same set: Addresses must list expect nodes (or
// expect-1 others, this one left out), and all of them must answer with the same expect.
func Form(ctx context.Context, opts SeekOptions, expect int) (Part, error) {
	opts, err := opts.normalized()
	if err != nil {
		return JoinCluster, err
	}
	if err := checkExpect(opts, expect); err != nil {
		return JoinCluster, err
	}
	pause := opts.RetryMin
	for {
		part, decided, err := formRound(ctx, opts, expect)
		if err != nil || decided {
			return part, err
		}
		if !sleep(ctx, jitter(pause)) {
			return JoinCluster, fault.Wrap(fault.Unavailable, ctx.Err(), "form a cluster of %d nodes", expect)
		}
		pause = min(pause*2, opts.RetryMax)
	}
}

func checkExpect(opts SeekOptions, expect int) error {
	if expect < 1 {
		return fault.New(fault.Invalid, "--bootstrap-expect %d: want at least 1", expect)
	}
	others := slices.DeleteFunc(slices.Clone(opts.Addresses), func(a string) bool { return a == opts.Self.PeerAddr })
	slices.Sort(others)
	if n := len(others); len(slices.Compact(others)) != n {
		return fault.New(fault.Invalid, "--join %q names an address twice", opts.Addresses)
	}
	// This node may stand in the list under another name than it advertises, so expect others are right as well.
	if len(others) != expect && len(others) != expect-1 {
		return fault.New(fault.Invalid, "--bootstrap-expect %d needs the peer addresses of exactly these %d nodes in --join (this node's own may be left out): %d other than %s are given",
			expect, expect, len(others), opts.Self.PeerAddr)
	}
	return nil
}

// formRound says Hello to every address once.
func formRound(ctx context.Context, opts SeekOptions, expect int) (Part, bool, error) {
	met := map[catalog.PeerID]Introduction{opts.Self.ID: {Peer: opts.Self, Expect: uint32(expect)}}
	missing := 0
	for _, addr := range opts.Addresses {
		if addr == opts.Self.PeerAddr {
			continue
		}
		hctx, cancel := context.WithTimeout(ctx, opts.Timeout)
		intro, err := Hello(hctx, opts.Dial, opts.Membership, addr)
		cancel()
		if err != nil {
			opts.Logger.Info("waiting for a node", "address", addr, "error", err)
			missing++
			continue
		}
		if intro.ClusterID != "" && intro.Peer.ID != opts.Self.ID {
			return JoinCluster, true, nil
		}
		met[intro.Peer.ID] = intro
	}
	if missing > 0 {
		return JoinCluster, false, nil
	}
	return decide(met, opts.Self, expect)
}

// decide is the rule by which equal nodes choose a founder, once all answered.
func decide(met map[catalog.PeerID]Introduction, self catalog.Peer, expect int) (Part, bool, error) {
	if len(met) != expect {
		return JoinCluster, false, fault.New(fault.Invalid, "--bootstrap-expect %d, but the addresses in --join belong to %d nodes with this one", expect, len(met))
	}
	lowest := self.ID
	for id, intro := range met {
		if intro.Expect != uint32(expect) {
			return JoinCluster, false, fault.New(fault.Invalid, "node %q at %s has --bootstrap-expect %d, this one %d: they must agree",
				intro.Peer.Name, intro.Peer.PeerAddr, intro.Expect, expect)
		}
		if id != self.ID && intro.Peer.Name == self.Name {
			return JoinCluster, false, fault.New(fault.Exists, "the node at %s is named %q as well: names must differ", intro.Peer.PeerAddr, self.Name)
		}
		lowest = min(lowest, id)
	}
	if lowest == self.ID {
		return FoundCluster, true, nil
	}
	return JoinCluster, true, nil
}
