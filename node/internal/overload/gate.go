package overload

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Options configure a Gate. Metrics is needed.
type Options struct {
	Door    string // its name in metrics and events
	Limits  Limits
	Memory  *Memory                  // refuses what adds data; nil: nothing is refused for its sake
	Exempt  func(method string) bool // methods that pass by the gate; nil: none
	Large   func(method string) bool // whether a method's requests may be large; nil: none
	Adds    func(method string) bool // whether a method adds data; nil: none
	Metrics *Metrics
	Events  *event.Log // nil: nobody is told
}

// Gate is what requests pass on their way in. Its methods are safe for concurrent use; it starts no goroutine.
type Gate struct {
	opts    Options
	places  *semaphore.Weighted
	waiting atomic.Int64
	large   *semaphore.Weighted // who may receive a body that may be large
	bodies  atomic.Int64        // bytes that have arrived and are worked on
	room    int64               // for them
	working prometheus.Gauge    // the door's, of Options.Metrics
	bytes   prometheus.Gauge
}

// NewGate returns an open gate.
func NewGate(opts Options) (*Gate, error) {
	limits, err := opts.Limits.withDefaults()
	if err != nil {
		return nil, err
	}
	if opts.Metrics == nil {
		return nil, fault.New(fault.Internal, "overload gate: Metrics is needed")
	}
	none := func(string) bool { return false }
	if opts.Exempt == nil {
		opts.Exempt = none
	}
	if opts.Large == nil {
		opts.Large = none
	}
	if opts.Adds == nil {
		opts.Adds = none
	}
	opts.Limits = limits
	half := limits.Bodies / 2 // for what arrives, and for what has arrived
	return &Gate{
		opts: opts, places: semaphore.NewWeighted(int64(limits.Requests)), large: semaphore.NewWeighted(half / limits.Body), room: half,
		working: opts.Metrics.working.WithLabelValues(opts.Door), bytes: opts.Metrics.bytes.WithLabelValues(opts.Door),
	}, nil
}

// Limits returns what the gate holds to, defaults filled in.
func (g *Gate) Limits() Limits { return g.opts.Limits }

// pass is one request that was let in.
type pass struct {
	g      *Gate
	method string
	size   int64
}

// enter lets a request in when it is its turn. Nothing of its body has been read.
func (g *Gate) enter(ctx context.Context, method string) (*pass, error) {
	if err := g.late(ctx); err != nil {
		return nil, err
	}
	if g.opts.Memory != nil && g.opts.Adds(method) {
		if used, limit, over := g.opts.Memory.Over(); over {
			return nil, g.refuse(noMemory, "this node uses %d MiB of memory, of %d that it may: it takes no more data until some is freed", used>>20, limit>>20)
		}
	}
	if !g.places.TryAcquire(1) {
		if err := g.wait(ctx); err != nil {
			return nil, err
		}
	}
	g.working.Inc()
	return &pass{g: g, method: method}, nil
}

// wait waits for a place. Places are given in the order in which requests came.
func (g *Gate) wait(ctx context.Context) error {
	if g.waiting.Add(1) > int64(g.opts.Limits.Waiting) {
		g.waiting.Add(-1)
		return g.refuse(tooMany, "this node works on %d requests and %d more wait", g.opts.Limits.Requests, g.opts.Limits.Waiting)
	}
	gauge := g.opts.Metrics.waiting.WithLabelValues(g.opts.Door)
	gauge.Inc()
	defer func() {
		g.waiting.Add(-1)
		gauge.Dec()
	}()
	patient, cancel := context.WithTimeout(ctx, g.opts.Limits.Patience)
	defer cancel()
	if g.places.Acquire(patient, 1) == nil {
		return nil
	}
	if err := g.late(ctx); err != nil {
		return err
	}
	return g.refuse(tooMany, "it was not the request's turn within %s, as this node works on %d others", g.opts.Limits.Patience, g.opts.Limits.Requests)
}

// leave gives the place back.
func (p *pass) leave() {
	p.g.bodies.Add(-p.size)
	p.g.bytes.Sub(float64(p.size))
	p.g.working.Dec()
	p.g.places.Release(1)
}

// receive reads the request's body by read, which returns its size. One that may be large is read once there is room for the
// largest that there can be.
func (p *pass) receive(ctx context.Context, read func() (int, error)) error {
	g := p.g
	if g.opts.Large(p.method) {
		patient, cancel := context.WithTimeout(ctx, g.opts.Limits.Patience)
		err := g.large.Acquire(patient, 1)
		cancel()
		if err != nil {
			if err := g.late(ctx); err != nil {
				return err
			}
			return g.refuse(tooLarge, "so many large requests are arriving at this node that it was not this one's turn within %s", g.opts.Limits.Patience)
		}
		defer g.large.Release(1)
	}
	size, err := read()
	if err != nil {
		return err
	}
	if err := g.late(ctx); err != nil {
		return err
	}
	if g.bodies.Add(int64(size)) > g.room {
		g.bodies.Add(-int64(size))
		return g.refuse(tooLarge, "the requests that this node works on take %d MiB, and %d MiB more are too much", g.bodies.Load()>>20, size>>20)
	}
	p.size = int64(size)
	g.bytes.Add(float64(size))
	return nil
}

// late tells that nobody waits for the answer any more.
func (g *Gate) late(ctx context.Context) error {
	cause := ctx.Err()
	if cause == nil {
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 0 {
			return nil
		}
		cause = context.DeadlineExceeded
	}
	g.opts.Metrics.refused.WithLabelValues(g.opts.Door, string(tooLate)).Inc()
	return fault.New(fault.ClassOf(cause), "the request's time was over before it was this node's turn to work on it; nothing was done")
}

func (g *Gate) refuse(why reason, format string, args ...any) error {
	g.opts.Metrics.refused.WithLabelValues(g.opts.Door, string(why)).Inc()
	err := fault.New(fault.Exhausted, format+": try again later, or slower", args...)
	if g.opts.Events != nil {
		g.opts.Events.AppendSometimes(event.Event{Kind: event.Overloaded, Severity: event.Warn, Text: "a request was refused: " + err.Error()})
	}
	return err
}
