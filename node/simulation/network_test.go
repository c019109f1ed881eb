package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Time that a packet takes, and what a connection holds that has not been read.
const (
	minLatency = 100 * time.Microsecond
	maxLatency = 1500 * time.Microsecond
	sendBuffer = 256 << 10
	backlog    = 256
)

// link is one direction between two hosts.
type link struct{ from, to string }

// network joins hosts ("host:port" addresses) in memory. Like TCP, a connection delivers in order or breaks; a link
// that is cut holds what was sent until it heals, and tells nobody.
type network struct {
	mu struct {
		sync.Mutex
		random    *rand.Rand
		listeners map[string]*listener
		conns     map[*conn]struct{} // ends that were not closed
		cut       map[link]int       // by how many faults
		slow      map[link]time.Duration
		dark      map[string]bool // hosts without power: they do not even refuse
		life      map[string]int  // of a host: connections and listeners of an earlier one are dead
		changed   chan struct{}   // closed when any of the above changes
	}
}

func newNetwork(random *rand.Rand) *network {
	n := &network{}
	n.mu.random = random
	n.mu.listeners = map[string]*listener{}
	n.mu.conns = map[*conn]struct{}{}
	n.mu.cut = map[link]int{}
	n.mu.slow = map[link]time.Duration{}
	n.mu.dark = map[string]bool{}
	n.mu.life = map[string]int{}
	n.mu.changed = make(chan struct{})
	return n
}

func hostOf(addr string) string {
	host, _, _ := strings.Cut(addr, ":")
	return host
}

func (n *network) changedLocked() {
	close(n.mu.changed)
	n.mu.changed = make(chan struct{})
}

// listen opens a door for as long as the host's present life.
func (n *network) listen(addr string) net.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{n: n, addr: addr, incoming: make(chan *conn, backlog), closed: make(chan struct{})}
	n.mu.listeners[addr] = l
	return l
}

// dialer returns how the present life of a host connects to others.
func (n *network) dialer(host string) func(context.Context, string) (net.Conn, error) {
	n.mu.Lock()
	life := n.mu.life[host]
	n.mu.Unlock()
	return func(ctx context.Context, addr string) (net.Conn, error) { return n.dial(ctx, host, life, addr) }
}

// dial takes a round trip, and all the time that ctx gives while the other side cannot be reached.
func (n *network) dial(ctx context.Context, from string, life int, addr string) (net.Conn, error) {
	to := hostOf(addr)
	there, back := link{from, to}, link{to, from}
	if err := pass(ctx, n.latency(there)+n.latency(back)); err != nil {
		return nil, err
	}
	for {
		n.mu.Lock()
		changed := n.mu.changed
		switch {
		case n.mu.life[from] != life:
			n.mu.Unlock()
			return nil, syscall.ENETDOWN
		case n.mu.cut[there] > 0 || n.mu.cut[back] > 0 || n.mu.dark[to]:
			n.mu.Unlock()
		default:
			defer n.mu.Unlock()
			return n.connectLocked(from, addr)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("dial %s: %w", addr, ctx.Err())
		}
	}
}

func (n *network) connectLocked(from, addr string) (net.Conn, error) {
	l := n.mu.listeners[addr]
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
	}
	a, b := n.pairLocked(from, hostOf(addr))
	select {
	case l.incoming <- b:
		return a, nil
	default:
		delete(n.mu.conns, a)
		delete(n.mu.conns, b)
		return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
	}
}

func (n *network) pairLocked(from, to string) (a, b *conn) {
	there, back := newStream(n, link{from, to}), newStream(n, link{to, from})
	a = &conn{n: n, local: from, remote: to, in: back, out: there}
	b = &conn{n: n, local: to, remote: from, in: there, out: back}
	a.peer, b.peer = b, a
	n.mu.conns[a], n.mu.conns[b] = struct{}{}, struct{}{}
	return a, b
}

func (n *network) latency(l link) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := minLatency + time.Duration(n.mu.random.Int64N(int64(maxLatency-minLatency)))
	if extra := n.mu.slow[l]; extra > 0 {
		d += extra/2 + time.Duration(n.mu.random.Int64N(int64(extra)))
	}
	return d
}

// reach reports whether packets pass l now, and a channel that is closed when that may have changed.
func (n *network) reach(l link) (bool, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.cut[l] == 0 && !n.mu.dark[l.from], n.mu.changed
}

// cut stops links until the function that it returns is called; that heals them, and breaks some of the connections
// that had to wait, as keepalives and retransmission limits would have.
func (n *network) cut(links ...link) (heal func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range links {
		n.mu.cut[l]++
	}
	n.changedLocked()
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, l := range links {
			if n.mu.cut[l]--; n.mu.cut[l] == 0 {
				delete(n.mu.cut, l)
				n.breakLocked(0.3, func(c *conn) bool { return c.local == l.from && c.remote == l.to })
			}
		}
		n.changedLocked()
	}
}

// slow delays every packet of links until the function that it returns is called.
func (n *network) slow(extra time.Duration, links ...link) (heal func()) {
	set := func(d time.Duration) {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, l := range links {
			n.mu.slow[l] = d
		}
	}
	set(extra)
	return func() { set(0) }
}

// drop breaks a share of all connections between machines, clients among them.
func (n *network) drop(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.breakLocked(share, func(*conn) bool { return true })
}

// breakLocked breaks a share of the connections that which names, at both ends.
func (n *network) breakLocked(share float64, which func(*conn) bool) {
	for c := range n.mu.conns {
		if which(c) && n.mu.random.Float64() < share {
			c.in.fail(syscall.ECONNRESET)
			c.out.fail(syscall.ECONNRESET)
			delete(n.mu.conns, c)
			delete(n.mu.conns, c.peer)
		}
	}
}

// end ends a host's life: nothing that it does from now on reaches anybody. Without power its packets under way are
// lost and its peers hear nothing; else they hear that their connections broke.
func (n *network) end(host string, power bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.life[host]++
	n.mu.dark[host] = power
	for addr := range n.mu.listeners {
		if hostOf(addr) == host {
			delete(n.mu.listeners, addr)
		}
	}
	for c := range n.mu.conns {
		if c.local != host {
			continue
		}
		delete(n.mu.conns, c)
		c.dead(power)
		c.in.finish(syscall.ENETDOWN, true)
	}
	n.changedLocked()
}

// powerOn makes a host answer again, if only to say that it knows nothing of old connections.
func (n *network) powerOn(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.mu.dark[host] {
		return
	}
	n.mu.dark[host] = false
	for c := range n.mu.conns {
		if c.remote == host {
			c.in.finish(syscall.ECONNRESET, false)
			c.out.fail(syscall.ECONNRESET)
			delete(n.mu.conns, c)
		}
	}
	n.changedLocked()
}

// listener is a net.Listener on a network.
type listener struct {
	n        *network
	addr     string
	incoming chan *conn
	once     sync.Once
	closed   chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.n.mu.Lock()
		if l.n.mu.listeners[l.addr] == l {
			delete(l.n.mu.listeners, l.addr)
		}
		l.n.mu.Unlock()
		for {
			select {
			case c := <-l.incoming:
				_ = c.Close()
			default:
				return
			}
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return address(l.addr) }

type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

// pass lets virtual time pass.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
