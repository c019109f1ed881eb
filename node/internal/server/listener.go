package server

import (
	"net"
	"sync"
)

// greeting is how many bytes a client says before gRPC counts it as connected: HTTP/2's preface and the head of its settings.
const greeting = 24 + 9

// listener knows its connections that have said nothing yet. gRPC waits for them when it stops, for two minutes, before it even tells
// the others that it does: so they are closed first.
type listener struct {
	net.Listener
	mu struct {
		sync.Mutex
		silent  map[*greeted]bool
		closing bool
	}
}

func newListener(l net.Listener) *listener {
	wrapped := &listener{Listener: l}
	wrapped.mu.silent = map[*greeted]bool{}
	return wrapped
}

// Accept returns the next connection; of those that come when it is too late, one that is closed.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &greeted{Conn: conn, from: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closing {
		_ = conn.Close()
	} else {
		l.mu.silent[c] = true
	}
	return c, nil
}

// hush closes the connections that have said nothing, and those to come.
func (l *listener) hush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.closing = true
	for c := range l.mu.silent {
		_ = c.Conn.Close()
	}
	clear(l.mu.silent)
}

func (l *listener) forget(c *greeted) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.mu.silent, c)
}

// greeted is a connection that tells when its client has said enough.
type greeted struct {
	net.Conn
	from *listener
	said int // read by one goroutine at a time, as gRPC does
}

// Read implements net.Conn.
func (c *greeted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.said < greeting {
		if c.said += n; c.said >= greeting {
			c.from.forget(c)
		}
	}
	return n, err
}

// Close implements net.Conn.
func (c *greeted) Close() error {
	c.from.forget(c)
	return c.Conn.Close()
}
