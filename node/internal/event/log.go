package event

import (
	"fmt"
	"sync"
	"time"
)

// How many events a Log keeps unless told otherwise, and what bounds AppendSometimes.
const (
	defaultSize = 4096
	seldom      = 10 * time.Second
	maxSeldom   = 1024
)

// Log is the ring. Its methods are safe for concurrent use and never block for long.
type Log struct {
	mu struct {
		sync.Mutex
		ring    []Event // the event with cursor c is at c % len(ring)
		born    uint64  // the first cursor of this life
		first   uint64  // the oldest cursor that is kept
		next    uint64  // the cursor of the next event
		changed chan struct{}
		seldom  map[origin]*quieted
	}
}

// origin is what repeated events have in common.
type origin struct {
	kind       Kind
	collection string
	shard      uint32
	peer       uint64
}

type quieted struct {
	last time.Time
	left int // out since then
}

// New returns an empty log of so many events (0: 4096). Cursors begin at the time of this call in microseconds, so that
// they are higher than those of the node's earlier lives: a reader's cursor from then leads to a gap, not to silence.
func New(size int) *Log {
	if size <= 0 {
		size = defaultSize
	}
	l := &Log{}
	l.mu.ring = make([]Event, size)
	l.mu.next = uint64(time.Now().UnixMicro())
	l.mu.born, l.mu.first = l.mu.next, l.mu.next
	l.mu.changed = make(chan struct{})
	l.mu.seldom = map[origin]*quieted{}
	return l
}

// Append adds an event. Its cursor, and its time if that is zero, are filled in.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appendLocked(e)
}

func (l *Log) appendLocked(e Event) {
	e.Cursor = l.mu.next
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	size := uint64(len(l.mu.ring))
	l.mu.ring[e.Cursor%size] = e
	l.mu.next++
	l.mu.first = max(l.mu.first, l.mu.next-min(size, l.mu.next))
	close(l.mu.changed)
	l.mu.changed = make(chan struct{})
}

// AppendSometimes is Append for what may happen with every request: of the events of one kind, collection, shard and
// peer it takes one in 10 s, and the next says how many were left out.
func (l *Log) AppendSometimes(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	o := origin{e.Kind, e.Collection, e.Shard, e.Peer}
	q := l.mu.seldom[o]
	if q == nil {
		l.forgetLocked(now)
		if len(l.mu.seldom) >= maxSeldom {
			return
		}
		q = &quieted{}
		l.mu.seldom[o] = q
	}
	if !q.last.IsZero() && now.Sub(q.last) < seldom {
		q.left++
		return
	}
	if q.left > 0 {
		e.Text += fmt.Sprintf(" (and %d times since %s)", q.left, q.last.UTC().Format(time.TimeOnly))
	}
	q.last, q.left = now, 0
	l.appendLocked(e)
}

// forgetLocked makes room for another origin.
func (l *Log) forgetLocked(now time.Time) {
	if len(l.mu.seldom) < maxSeldom {
		return
	}
	for o, q := range l.mu.seldom {
		if now.Sub(q.last) >= seldom {
			delete(l.mu.seldom, o)
		}
	}
}

// Page is what a reader gets at once.
type Page struct {
	Events []Event
	Missed uint64 // events between the reader's cursor and Events that are no longer kept
	// Restarted says that the cursor is of an earlier life of the node, or of another node: how many events were missed since is
	// not known.
	Restarted bool
	After     uint64          // the cursor to read on from
	More      <-chan struct{} // closed when there is something behind After
}

// Read returns up to limit events behind a cursor; 0 stands for the oldest event that is kept.
func (l *Log) Read(after uint64, limit int) Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := Page{More: l.mu.changed, After: after}
	from := after + 1
	switch {
	case after == 0:
		from = l.mu.first
	case from > l.mu.next, from < l.mu.born:
		from, p.Restarted = l.mu.first, true
	case from < l.mu.first:
		p.Missed, from = l.mu.first-from, l.mu.first
	}
	p.After = from - 1
	for ; from < l.mu.next && len(p.Events) < limit; from++ {
		p.Events = append(p.Events, l.mu.ring[from%uint64(len(l.mu.ring))])
		p.After = from
	}
	if from < l.mu.next {
		p.More = closed()
	}
	return p
}

// Last returns the cursor behind which n events are kept.
func (l *Log) Last(n uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.next - 1 - min(n, l.mu.next-l.mu.first)
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
