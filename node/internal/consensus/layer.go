package consensus

import (
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// trackedLayer closes with the node whatever was dialled or accepted through it: raft's transport leaves accepted
// connections to the other side, and their goroutines with them.
type trackedLayer struct {
	raft.StreamLayer
	mu struct {
		sync.Mutex
		closed bool
		conns  map[*trackedConn]struct{}
	}
}

func newTrackedLayer(inner raft.StreamLayer) *trackedLayer {
	l := &trackedLayer{StreamLayer: inner}
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

// Dial connects to a peer.
func (l *trackedLayer) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
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
