package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
)

// PoolOptions configures a Pool. Logger and Expelled may be left out.
type PoolOptions struct {
	Self       catalog.PeerID
	Membership *Membership
	Metadata   Metadata
	Dial       Dialer
	Logger     hclog.Logger
	Expelled   func() // is called when another member says that this node was removed for good; nil: nobody is told
}

// Pool holds one gRPC connection per peer of the catalog, and is the client of all of them. Connections are made
// on first use, follow a peer's address, and close when the peer leaves. All methods are safe for concurrent use.
//
// Errors have fault classes. A call that failed after its request may have left carries the hint
// fault.HintOutcome = fault.OutcomeUnknown; without it an Unavailable call was surely never seen by the other side.
type Pool struct {
	opts   PoolOptions
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     struct {
		sync.Mutex
		closed bool
		conns  map[catalog.PeerID]*conn
	}
}

type conn struct {
	addr string
	cc   *grpc.ClientConn
	peerpb.PeerClient
}

// errGone marks a peer that is not in the catalog (any more).
var errGone = errors.New("not a member of the cluster")

// NewPool starts to follow the catalog; Close ends it.
func NewPool(opts PoolOptions) (*Pool, error) {
	if opts.Self == 0 || opts.Membership == nil || opts.Metadata == nil || opts.Dial == nil {
		return nil, fault.New(fault.Invalid, "peer pool: Self, Membership, Metadata and Dial are needed")
	}
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pool{opts: opts, cancel: cancel}
	p.mu.conns = map[catalog.PeerID]*conn{}
	p.wg.Go(func() { p.follow(ctx) })
	return p, nil
}

// Close ends every connection; calls that are under way fail with Unavailable.
func (p *Pool) Close() error {
	p.cancel()
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
	for id, c := range p.mu.conns {
		_ = c.cc.Close()
		delete(p.mu.conns, id)
	}
	return nil
}

// Reset closes the connection to a peer that no longer answers, so that calls which wait for it fail now. The next
// call connects anew.
func (p *Pool) Reset(id catalog.PeerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropLocked(id)
}

func (p *Pool) dropLocked(id catalog.PeerID) {
	if c, ok := p.mu.conns[id]; ok {
		_ = c.cc.Close() // does not wait for calls
		delete(p.mu.conns, id)
	}
}

// follow closes the connections of peers that left or moved, and learns the id of a cluster that was founded here.
func (p *Pool) follow(ctx context.Context) {
	for {
		state, changed := p.opts.Metadata.Watch()
		if state.ClusterID != "" {
			if err := p.opts.Membership.Adopt(state.ClusterID); err != nil {
				p.opts.Logger.Error("the metadata is of another cluster than this node", "error", err)
			}
		}
		p.mu.Lock()
		for id, c := range p.mu.conns {
			if peer, ok := state.Peers[id]; !ok || peer.PeerAddr != c.addr {
				p.dropLocked(id)
			}
		}
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// conn returns the connection to a peer of the catalog.
func (p *Pool) conn(id catalog.PeerID) (*conn, error) {
	state, _ := p.opts.Metadata.Watch()
	peer, ok := state.Peers[id]
	if !ok || peer.Removed {
		return nil, fault.Wrap(fault.Unavailable, errGone, "peer %d", id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return nil, fault.New(fault.Unavailable, "this node is closing")
	}
	if c, ok := p.mu.conns[id]; ok {
		if c.addr == peer.PeerAddr {
			return c, nil
		}
		p.dropLocked(id)
	}
	c, err := dial(peer.PeerAddr, p.opts.Dial, p.opts.Membership)
	if err != nil {
		return nil, err
	}
	p.mu.conns[id] = c
	return c, nil
}

// dial makes a connection that connects on first use.
func dial(addr string, dialer Dialer, m *Membership) (*conn, error) {
	cc, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return dialer(ctx, addr) }),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)),
		// A node that returns is to be noticed at once: peers are few and near.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithIdleTimeout(0),
		grpc.WithUnaryInterceptor(m.attachUnary),
		grpc.WithStreamInterceptor(m.attachStream),
	)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "peer address %q", addr)
	}
	return &conn{addr: addr, cc: cc, PeerClient: peerpb.NewPeerClient(cc)}, nil
}
