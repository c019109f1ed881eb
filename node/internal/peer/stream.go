package peer

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// streamLayer is consensus' side of the Mux. It remembers the connections it gave out: Raft's transport leaves them
// open when it closes, and their readers with them.
type streamLayer struct {
	*branch
	opts *MuxOptions
	mu   struct {
		sync.Mutex
		closed bool
		conns  map[*raftConn]struct{}
	}
}

func newStreamLayer(b *branch, opts *MuxOptions) *streamLayer {
	s := &streamLayer{branch: b, opts: opts}
	s.mu.conns = map[*raftConn]struct{}{}
	return s
}

// Accept waits for the next Raft stream of a peer.
func (s *streamLayer) Accept() (net.Conn, error) {
	conn, err := s.branch.Accept()
	if err != nil {
		return nil, err
	}
	return s.track(conn)
}

// Dial opens a Raft stream to addr.
func (s *streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := s.opts.Dial(ctx, string(address))
	if err != nil {
		return nil, err
	}
	p := preface{cluster: s.opts.Membership.ID()}
	if s.opts.Target != nil {
		p.target = s.opts.Target(string(address))
	}
	_ = conn.SetWriteDeadline(time.Now().Add(timeout))
	if _, err := conn.Write(encodePreface(p)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = conn.SetWriteDeadline(time.Time{})
	return s.track(conn)
}

// Close ends Accept and closes every connection it gave out.
func (s *streamLayer) Close() error {
	s.mu.Lock()
	s.mu.closed = true
	conns := s.mu.conns
	s.mu.conns = map[*raftConn]struct{}{}
	s.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
	}
	return s.branch.Close()
}

func (s *streamLayer) track(conn net.Conn) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	c := &raftConn{Conn: conn, layer: s}
	s.mu.conns[c] = struct{}{}
	return c, nil
}

type raftConn struct {
	net.Conn
	layer *streamLayer
}

// Close closes the connection and forgets it.
func (c *raftConn) Close() error {
	c.layer.mu.Lock()
	delete(c.layer.mu.conns, c)
	c.layer.mu.Unlock()
	return c.Conn.Close()
}
