package coordinator

import (
	"context"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// question is one read of one shard.
type question[T any] struct {
	opts    ReadOptions
	kind    readKind
	read    func(context.Context, source) (T, uint64, error) // the answer and the index that it is at least as new as
	version func(T) uint64                                   // of the newest point in an answer
	epoch   uint64                                           // by which the request was split
}

// wave is the asking of a shard's replicas, once around.
type wave struct {
	sources []source      // in the order in which they are asked
	need    int           // so many have to answer
	first   int           // so many are asked at once
	delay   time.Duration // after which the next is asked, while answers are missing
}

// outcome is what became of one attempt.
type outcome[T any] struct {
	answer[T]
	from source
	took time.Duration
	err  error
}

// ask puts the question to replicas until enough have answered. A failed one is followed by the next at once, a slow one after
// the delay, and the first to answer count. It returns the answers, and what went wrong with the last failure if they are
// too few. Attempts that are not needed any more are cancelled; their goroutines end as soon as they notice.
func ask[T any](ctx context.Context, c *Coordinator, w wave, q question[T]) ([]answer[T], error) {
	if len(w.sources) == 1 {
		return askOnly(ctx, c, w.sources[0], q)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make(chan outcome[T], len(w.sources)) // nobody waits to be heard
	next := 0
	launch := func(hedge bool) {
		s := w.sources[next]
		next++
		go func() { outcomes <- attempt(ctx, c, s, q, hedge) }()
	}
	for next < w.first {
		launch(false)
	}
	timer := time.NewTimer(w.delay)
	defer timer.Stop()
	var answers []answer[T]
	var last error
	for done := 0; len(answers)+len(w.sources)-done >= w.need; {
		select {
		case o := <-outcomes:
			if done++; o.err == nil {
				if answers = append(answers, o.answer); len(answers) == w.need {
					return answers, nil
				}
				continue
			}
			if ctx.Err() != nil {
				return answers, outOfTime(ctx, o.err)
			}
			if !elsewhere(o.err) {
				return answers, o.err
			}
			last = annotate(o.err, "%s", o.from.name())
			if next < len(w.sources) {
				launch(false)
			}
		case <-timer.C:
			if next < len(w.sources) && ctx.Err() == nil && c.pace.begin() {
				launch(true)
			}
			timer.Reset(w.delay)
		case <-ctx.Done():
			return answers, outOfTime(ctx, last)
		}
	}
	return answers, last
}

// askOnly asks the one replica that can be asked: there is no other to turn to when it is slow, so nobody needs to watch.
func askOnly[T any](ctx context.Context, c *Coordinator, s source, q question[T]) ([]answer[T], error) {
	o := attempt(ctx, c, s, q, false)
	switch {
	case o.err == nil:
		return []answer[T]{o.answer}, nil
	case ctx.Err() != nil:
		return nil, outOfTime(ctx, o.err)
	case !elsewhere(o.err):
		return nil, o.err
	}
	return nil, annotate(o.err, "%s", s.name())
}

func attempt[T any](ctx context.Context, c *Coordinator, s source, q question[T], hedge bool) outcome[T] {
	if hedge {
		defer c.pace.end()
	}
	start := time.Now()
	o := outcome[T]{from: s}
	o.value, o.applied, o.err = q.read(ctx, s)
	if o.took = time.Since(start); o.err == nil {
		c.pace.observe(paceKey{s.ref.Collection, q.kind}, o.took)
	}
	return o
}

// outOfTime tells that a read's time was over, or its caller gone.
func outOfTime(ctx context.Context, last error) error {
	return &fault.Error{Class: fault.ClassOf(ctx.Err()), Text: "the time was over before enough replicas had answered", Cause: last}
}
