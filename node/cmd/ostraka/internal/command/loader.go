package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// maxBatchBytes bounds a request whatever the number of points, far below what a node takes.
const maxBatchBytes = 4 << 20

// loader upserts a file in batches, several of them in flight.
//
// Everything up to line `in` is in: batches are waited for in the order of the file, and a failed one ends the load.
// Batches behind a failed one may be in as well, which does no harm. A point whose id is in flight waits for that
// batch, so that of two lines with one id the later wins, as it would line by line.
type loader struct {
	client          *client.Client
	collection      string
	batch, parallel int
	lines           *lineReader
	progress        *progress

	in       int    // the last line up to which everything is in
	points   uint64 // in those
	queue    []*batch
	inFlight map[client.PointID]bool
}

// batch is a request and the lines that it is made of.
type batch struct {
	points []client.Point
	lines  []int
	bytes  int
	ids    map[client.PointID]bool
	done   chan error // one value
}

func newBatch() *batch {
	return &batch{ids: map[client.PointID]bool{}, done: make(chan error, 1)}
}

// run loads the file. What was read before an error is in when it returns, unless the error is the cluster's.
func (l *loader) run(ctx context.Context) error {
	if err := l.readAll(ctx); err != nil {
		return err
	}
	l.in = l.lines.line // blank lines at the end are in, too
	return nil
}

func (l *loader) readAll(ctx context.Context) error {
	b := newBatch()
	for {
		p, size, err := l.readPoint()
		if err != nil {
			if serr := errors.Join(l.submit(ctx, b), l.settle(ctx)); serr != nil {
				return serr
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if b.ids[p.ID] || len(b.points) == l.batch || (b.bytes > 0 && b.bytes+size > maxBatchBytes) {
			if err := l.submit(ctx, b); err != nil {
				return err
			}
			b = newBatch()
		}
		b.points, b.lines, b.bytes = append(b.points, p), append(b.lines, l.lines.line), b.bytes+size
		b.ids[p.ID] = true
	}
}

func (l *loader) readPoint() (client.Point, int, error) {
	line, err := l.lines.next()
	if err != nil {
		return client.Point{}, 0, err
	}
	p, err := parsePoint(line)
	if err != nil {
		return p, 0, fmt.Errorf("line %d: %w", l.lines.line, err)
	}
	return p, len(line), nil
}

// submit sends a batch once there is room for it.
func (l *loader) submit(ctx context.Context, b *batch) error {
	if len(b.points) == 0 {
		return nil
	}
	for len(l.queue) >= l.parallel || (len(l.queue) > 0 && l.overlaps(b)) {
		if err := l.reap(ctx); err != nil {
			return err
		}
	}
	for id := range b.ids {
		l.inFlight[id] = true
	}
	l.queue = append(l.queue, b)
	go func() { b.done <- l.send(ctx, b) }()
	return ctx.Err()
}

func (l *loader) overlaps(b *batch) bool {
	for id := range b.ids {
		if l.inFlight[id] {
			return true
		}
	}
	return false
}

// settle waits for every batch.
func (l *loader) settle(ctx context.Context) error {
	for len(l.queue) > 0 {
		if err := l.reap(ctx); err != nil {
			return err
		}
	}
	return nil
}

// reap waits for the oldest batch. If that failed, it waits for the others as well, so that nothing runs on, but does not
// count them.
func (l *loader) reap(ctx context.Context) error {
	b := l.queue[0]
	err := <-b.done // ends with ctx, too
	l.queue = l.queue[1:]
	for id := range b.ids {
		delete(l.inFlight, id)
	}
	if err == nil {
		l.points += uint64(len(b.points))
		l.in = b.lines[len(b.lines)-1]
		l.progress.show(l.points, l.in)
		return nil
	}
	at := failedAt(err)
	l.points += uint64(at)
	l.in = b.lines[at] - 1
	for _, b := range l.queue {
		<-b.done //nolint:errcheck // the first failure is the one to tell
	}
	l.queue = nil
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// batchError is a failure that begins at one point of a batch; everything before it is in.
type batchError struct {
	at    int
	line  int
	last  int // line; the same as line when that one is to blame
	cause error
}

func (e *batchError) Error() string {
	if e.last > e.line {
		return fmt.Sprintf("lines %d to %d: %v", e.line, e.last, e.cause)
	}
	return fmt.Sprintf("line %d: %v", e.line, e.cause)
}

func (e *batchError) Unwrap() error { return e.cause }

func failedAt(err error) int {
	var e *batchError
	if errors.As(err, &e) {
		return e.at
	}
	return 0
}

// send upserts a batch. One that the node refuses as wrong is halved until the line to blame is found.
func (l *loader) send(ctx context.Context, b *batch) error {
	from, to := 0, len(b.points)
	whole := true // [from, len(points)) has not been cut yet
	for from < to {
		_, err := l.client.Upsert(ctx, l.collection, b.points[from:to], client.WriteOptions{Wait: true})
		switch {
		case err == nil && whole:
			return nil
		case err == nil:
			// What was cut off is left. When that passes as well, the whole was refused only for its size.
			from, to, whole = to, len(b.points), true
		case isRefused(err) && to-from > 1:
			whole = false
			to = from + (to-from)/2
		default:
			return &batchError{at: from, line: b.lines[from], last: b.lines[to-1], cause: err}
		}
	}
	return nil
}

// isRefused reports whether a smaller request might pass.
func isRefused(err error) bool {
	return client.IsInvalid(err) || client.ClassOf(err) == client.ClassExhausted
}
