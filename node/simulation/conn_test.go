package simulation_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a connection.
type conn struct {
	n             *network
	local, remote string
	in, out       *stream
	peer          *conn
}

func (c *conn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write fails for good once the other side answers that nobody reads: that answer is a reset, so reads fail at once as
// well. (A client of gRPC tries a call again and again, without a pause, between a failed write and the failed read: if the read
// had to wait for the network, no time would ever pass in a bubble.)
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	if errors.Is(err, syscall.EPIPE) {
		c.in.fail(syscall.ECONNRESET)
	}
	return n, err
}

func (c *conn) Close() error {
	c.n.mu.Lock()
	delete(c.n.mu.conns, c)
	c.n.mu.Unlock()
	c.in.finish(net.ErrClosed, true)
	c.out.end(io.EOF)
	return nil
}

// dead is what the other side sees of a machine that ended: silence without power, else a reset behind what was sent.
func (c *conn) dead(power bool) {
	if power {
		c.out.silence()
		return
	}
	c.out.end(syscall.ECONNRESET)
}

func (c *conn) LocalAddr() net.Addr  { return address(c.local) }
func (c *conn) RemoteAddr() net.Addr { return address(c.remote) }

func (c *conn) SetDeadline(t time.Time) error {
	return joinErr(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func joinErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.mu.readUntil = t
	c.in.changedLocked()
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.mu.writeUntil = t
	c.out.changedLocked()
	return nil
}

// stream is one direction of a connection.
type stream struct {
	n    *network
	link link
	mu   struct {
		sync.Mutex
		packets               []packet
		size                  int
		last                  time.Time // arrival of the last packet: none overtakes another
		over                  error     // the writer has ended: what the reader gets behind the packets
		read                  error     // the reader has ended: why
		broken                error     // both get it at once
		mute                  bool      // the writer has no power
		readUntil, writeUntil time.Time
		changed               chan struct{}
	}
}

type packet struct {
	at   time.Time
	data []byte
}

func newStream(n *network, l link) *stream {
	s := &stream{n: n, link: l}
	s.mu.changed = make(chan struct{})
	return s
}

func (s *stream) changedLocked() {
	close(s.mu.changed)
	s.mu.changed = make(chan struct{})
}

func (s *stream) read(p []byte) (int, error) {
	for {
		open, netChanged := s.n.reach(s.link)
		if open {
			netChanged = nil
		}
		s.mu.Lock()
		now := time.Now()
		until, changed := s.mu.readUntil, s.mu.changed
		switch {
		case s.mu.broken != nil:
			defer s.mu.Unlock()
			return 0, s.mu.broken
		case s.mu.read != nil:
			defer s.mu.Unlock()
			return 0, s.mu.read
		case !until.IsZero() && !now.Before(until):
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case open && len(s.mu.packets) > 0 && !s.mu.packets[0].at.After(now):
			defer s.mu.Unlock()
			return s.takeLocked(p, now), nil
		case open && len(s.mu.packets) == 0 && s.mu.over != nil && !s.mu.last.After(now):
			defer s.mu.Unlock()
			return 0, s.mu.over
		}
		if open {
			until = s.nextLocked(until, now)
		}
		s.mu.Unlock()
		await(until, changed, netChanged)
	}
}

// nextLocked returns the earlier of until and the arrival of what comes next.
func (s *stream) nextLocked(until, now time.Time) time.Time {
	next := s.mu.last
	if len(s.mu.packets) > 0 {
		next = s.mu.packets[0].at
	} else if s.mu.over == nil {
		return until
	}
	if next.After(now) && (until.IsZero() || next.Before(until)) {
		return next
	}
	return until
}

// takeLocked moves everything that has arrived into p.
func (s *stream) takeLocked(p []byte, now time.Time) int {
	total := 0
	for len(s.mu.packets) > 0 && !s.mu.packets[0].at.After(now) && total < len(p) {
		head := &s.mu.packets[0]
		k := copy(p[total:], head.data)
		total += k
		if head.data = head.data[k:]; len(head.data) == 0 {
			s.mu.packets = s.mu.packets[1:]
		}
	}
	full := s.mu.size >= sendBuffer
	s.mu.size -= total
	if full {
		s.changedLocked()
	}
	return total
}

func (s *stream) write(p []byte) (int, error) {
	latency := s.n.latency(s.link)
	answers, _ := s.n.reach(link{s.link.to, s.link.from})
	for {
		s.mu.Lock()
		now := time.Now()
		until, changed := s.mu.writeUntil, s.mu.changed
		switch {
		case s.mu.broken != nil:
			defer s.mu.Unlock()
			return 0, s.mu.broken
		case s.mu.over != nil || s.mu.mute:
			s.mu.Unlock()
			return 0, net.ErrClosed
		case !until.IsZero() && !now.Before(until):
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case s.mu.read != nil && answers:
			s.mu.Unlock()
			return 0, syscall.EPIPE
		case s.mu.read != nil:
			s.mu.Unlock()
			return len(p), nil // nobody will read it, nor can anybody say so
		case s.mu.size < sendBuffer:
			defer s.mu.Unlock()
			s.putLocked(p, now.Add(latency))
			return len(p), nil
		}
		s.mu.Unlock()
		await(until, changed, nil)
	}
}

func (s *stream) putLocked(p []byte, at time.Time) {
	if at.Before(s.mu.last) {
		at = s.mu.last
	}
	s.mu.last = at
	s.mu.packets = append(s.mu.packets, packet{at, append([]byte(nil), p...)})
	s.mu.size += len(p)
	s.changedLocked()
}

// end ends the writer; the reader gets err behind what was sent.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.over != nil || s.mu.mute {
		return
	}
	s.mu.over = err
	if at := time.Now().Add(minLatency); at.After(s.mu.last) {
		s.mu.last = at
	}
	s.changedLocked()
}

// silence loses what is under way, and whatever the writer still believes to send.
func (s *stream) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.packets, s.mu.size = nil, 0
	s.mu.mute = true
	s.changedLocked()
}

// finish ends the reader.
func (s *stream) finish(err error, forget bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.read == nil {
		s.mu.read = err
	}
	if forget {
		s.mu.packets, s.mu.size = nil, 0
	}
	s.changedLocked()
}

// fail breaks the stream for both sides.
func (s *stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.broken == nil {
		s.mu.broken = err
	}
	s.changedLocked()
}

// await waits until a time (if it is not zero) or a change.
func await(until time.Time, changed, netChanged <-chan struct{}) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-changed:
	case <-netChanged:
	}
}
