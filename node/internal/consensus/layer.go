package consensus

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// dialPatience bounds how long a call waits for a peer that is known not to answer, so that calls of leaders that lead no more
// do not pile up.
const dialPatience = 5 * time.Minute

// trackedLayer closes with the node whatever was dialled or accepted through it: raft's transport leaves accepted
// connections to the other side, and their goroutines with them.
type trackedLayer struct {
	raft.StreamLayer
	await  func(ctx context.Context, addr string)
	ctx    context.Context // ends with closeAll
	cancel context.CancelFunc
	mu     struct {
		sync.Mutex
		closed bool
		conns  map[*trackedConn]struct{}
	}
}

func newTrackedLayer(inner raft.StreamLayer, await func(ctx context.Context, addr string)) *trackedLayer {
	l := &trackedLayer{StreamLayer: inner, await: await}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.mu.conns = map[*trackedConn]struct{}{}
	return l
}

// Accept waits for a peer's connection.
func (l *trackedLayer) Accept() (net.Conn, error) {
	c, err := l.StreamLayer.Accept()
	if err != nil {
		return nil, err
	}
	return l.track(c), nil
}

// Dial connects to a peer, once that may answer. Raft pauses ever longer after each failed call to a follower, ten seconds in the
// end, and would find one that returns as much later. So the call does not fail, but waits for the peer.
func (l *trackedLayer) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if l.await != nil {
		ctx, cancel := context.WithTimeout(l.ctx, dialPatience)
		l.await(ctx, string(addr))
		cancel()
	}
	if l.ctx.Err() != nil {
		return nil, net.ErrClosed
	}
	c, err := l.StreamLayer.Dial(addr, timeout)
	if err != nil {
		return nil, err
	}
	return l.track(c), nil
}

func (l *trackedLayer) track(c net.Conn) net.Conn {
	t := &trackedConn{Conn: c, layer: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		_ = c.Close() // its user finds it closed
		return t
	}
	l.mu.conns[t] = struct{}{}
	return t
}

// closeAll closes what is open and everything that comes.
func (l *trackedLayer) closeAll() {
	l.cancel()
	l.mu.Lock()
	l.mu.closed = true
	conns := l.mu.conns
	l.mu.conns = map[*trackedConn]struct{}{}
	l.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close() // nobody is left to tell
	}
}

type trackedConn struct {
	net.Conn
	layer *trackedLayer
}

// Close closes the connection and forgets it.
func (c *trackedConn) Close() error {
	c.layer.mu.Lock()
	delete(c.layer.mu.conns, c)
	c.layer.mu.Unlock()
	return c.Conn.Close()
}
