package peer

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// MuxOptions configures a Mux.
type MuxOptions struct {
	Listener   net.Listener // of the peer address; the Mux closes it
	Dial       Dialer
	Self       catalog.PeerID
	Membership *Membership
	// Target names the peer that Raft means by an address (0 = not known). It may be nil.
	Target func(addr string) catalog.PeerID
	Logger hclog.Logger
	// PrefaceTimeout bounds how long a new connection may take to say what it is. Default 5 s.
	PrefaceTimeout time.Duration
	// MaxUndecided bounds the connections that have not said it yet. Default 256.
	MaxUndecided int
}

func (o MuxOptions) normalized() (MuxOptions, error) {
	if o.Listener == nil || o.Dial == nil || o.Membership == nil || o.Self == 0 {
		return o, fault.New(fault.Invalid, "peer mux: Listener, Dial, Self and Membership are needed")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.PrefaceTimeout <= 0 {
		o.PrefaceTimeout = 5 * time.Second
	}
	if o.MaxUndecided <= 0 {
		o.MaxUndecided = 256
	}
	return o, nil
}

// Mux shares one listener between Raft and gRPC: the first byte of a connection decides.
type Mux struct {
	opts MuxOptions
	grpc *branch
	raft *streamLayer
	gate chan struct{} // one token per undecided connection
	wg   sync.WaitGroup
	mu   struct {
		sync.Mutex
		closed    bool
		undecided map[net.Conn]struct{}
	}
}

// NewMux starts to accept connections; Close ends it.
func NewMux(opts MuxOptions) (*Mux, error) {
	opts, err := opts.normalized()
	if err != nil {
		return nil, err
	}
	addr := opts.Listener.Addr()
	m := &Mux{opts: opts, grpc: newBranch(addr), gate: make(chan struct{}, opts.MaxUndecided)}
	m.raft = newStreamLayer(newBranch(addr), &m.opts)
	m.mu.undecided = map[net.Conn]struct{}{}
	m.wg.Go(m.accept)
	return m, nil
}

// GRPC returns the listener that the gRPC server serves. Closing it leaves the Mux open.
func (m *Mux) GRPC() net.Listener { return m.grpc }

// Raft returns the stream layer of consensus. Closing it closes its connections and leaves the Mux open.
func (m *Mux) Raft() raft.StreamLayer { return m.raft }

// Close stops accepting, closes Raft's connections and those nobody has taken yet, and returns when the Mux's goroutines
// ended. Connections that gRPC took are its own to close.
func (m *Mux) Close() error {
	m.mu.Lock()
	m.mu.closed = true
	for conn := range m.mu.undecided {
		_ = conn.Close()
	}
	m.mu.Unlock()
	err := m.opts.Listener.Close()
	_ = m.grpc.Close()
	_ = m.raft.Close()
	m.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (m *Mux) accept() {
	for {
		m.gate <- struct{}{} // an undecided connection always ends: by its deadline or by Close
		conn, err := m.opts.Listener.Accept()
		if err != nil {
			<-m.gate
			if m.closed() {
				return
			}
			m.opts.Logger.Warn("peer listener failed to accept", "error", err)
			if !temporary(err) {
				return
			}
			select { // out of file descriptors: do not spin
			case <-time.After(10 * time.Millisecond):
			case <-m.grpc.done:
			}
			continue
		}
		if !m.track(conn) {
			<-m.gate
			_ = conn.Close()
			return
		}
		m.wg.Go(func() {
			defer func() { <-m.gate }()
			m.decide(conn)
		})
	}
}

func temporary(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && !errors.Is(err, net.ErrClosed)
}

func (m *Mux) closed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.closed
}

func (m *Mux) track(conn net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.closed {
		return false
	}
	m.mu.undecided[conn] = struct{}{}
	return true
}

func (m *Mux) untrack(conn net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.undecided, conn)
}

// decide reads as little as tells where conn belongs, and hands it over or closes it.
func (m *Mux) decide(conn net.Conn) {
	defer m.untrack(conn)
	_ = conn.SetReadDeadline(time.Now().Add(m.opts.PrefaceTimeout))
	var first [1]byte
	if _, err := conn.Read(first[:]); err != nil {
		_ = conn.Close() // a port probe, or a peer that gave up: nothing to say
		return
	}
	to := m.grpc
	handed := conn
	switch first[0] {
	case grpcByte:
		handed = &replayConn{Conn: conn, first: first[:]}
	case raftByte:
		to = m.raft.branch
		if err := m.admitRaft(conn); err != nil {
			m.opts.Logger.Warn("refused a Raft connection", "from", conn.RemoteAddr().String(), "error", err)
			_ = conn.Close()
			return
		}
	default:
		m.opts.Logger.Warn("refused a connection that is neither Raft nor gRPC", "from", conn.RemoteAddr().String())
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	if !to.offer(handed) {
		_ = conn.Close()
	}
}

func (m *Mux) admitRaft(conn net.Conn) error {
	p, err := readPreface(conn)
	if err != nil {
		return err
	}
	if p.target != 0 && p.target != m.opts.Self {
		return fault.New(fault.FailedPrecondition, "it is meant for peer %d, this is peer %d", p.target, m.opts.Self)
	}
	return m.opts.Membership.Adopt(p.cluster)
}

// branch is a net.Listener fed by the Mux.
type branch struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newBranch(addr net.Addr) *branch {
	return &branch{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

func (b *branch) offer(conn net.Conn) bool {
	select {
	case b.conns <- conn:
		return true
	case <-b.done:
		return false
	}
}

// Accept waits for the next connection of this kind.
func (b *branch) Accept() (net.Conn, error) {
	select {
	case conn := <-b.conns:
		return conn, nil
	case <-b.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; connections that arrive later are closed.
func (b *branch) Close() error {
	b.once.Do(func() { close(b.done) })
	return nil
}

// Addr returns the shared listener's address.
func (b *branch) Addr() net.Addr { return b.addr }

// replayConn gives back the byte that was read to decide.
type replayConn struct {
	net.Conn
	first []byte
}

func (c *replayConn) Read(p []byte) (int, error) {
	if len(c.first) > 0 && len(p) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
