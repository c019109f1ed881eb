package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
)

// kind says when a call may be sent again: the table in the package's doc.
type kind uint8

const (
	read kind = iota
	idempotent
	once
)

const (
	backoffFirst = 100 * time.Millisecond
	backoffMax   = 2 * time.Second
)

// operation names a call.
type operation struct {
	kind   kind
	method string
	ddl    bool // changes metadata only
}

// call tries f on one endpoint after the other until it succeeds, fails for good, or must not be repeated.
func call[T any](ctx context.Context, c *Client, op operation, f func(context.Context, *endpoint) (T, error)) (T, error) {
	var zero T
	tried := map[*endpoint]bool{}
	wait := backoffFirst
	maybeApplied := false
	for attempts := 1; ; attempts++ {
		e := c.pool.pick(tried)
		if e == nil {
			if !pause(ctx, jitter(wait)) {
				return zero, c.fail(op, c.pool.pick(nil), contextError(ctx), maybeApplied)
			}
			wait = min(2*wait, backoffMax)
			clear(tried)
			e = c.pool.pick(nil)
		}
		tried[e] = true
		v, err := attempt(ctx, c, e, f)
		if err == nil {
			if attempts > 1 {
				c.pool.use(e)
			}
			return v, nil
		}
		maybeApplied = maybeApplied || (op.kind != read && err.outcomeUnknown())
		again := op.mayRepeat(err) || err.Hints[hintElsewhere] != "" && c.pool.pick(tried) != nil
		if attempts >= c.config.MaxAttempts || ctx.Err() != nil || !again || err.retryAfter > c.config.Timeout {
			return zero, c.fail(op, e, err, maybeApplied)
		}
		if err.retryAfter > 0 && !pause(ctx, err.retryAfter) {
			return zero, c.fail(op, e, contextError(ctx), maybeApplied)
		}
	}
}

// attempt runs f once against e, within the time of an attempt, and draws the conclusions about e.
func attempt[T any](ctx context.Context, c *Client, e *endpoint, f func(context.Context, *endpoint) (T, error)) (T, *Error) {
	var zero T
	if c.pool.isClosed() {
		return zero, &Error{Class: ClassCanceled, Message: "the client is closed"}
	}
	var seen mark
	actx, cancel := context.WithTimeout(withKey(ctx, c.config.APIKey), c.config.Timeout)
	defer cancel()
	v, err := f(context.WithValue(actx, markKey{}, &seen), e)
	if err == nil {
		return v, nil
	}
	out := errorOf(err)
	out.sent, out.retryAfter = seen.sent.Load(), time.Duration(seen.retryAfter.Load())
	switch {
	case out.fromNode:
	case ctx.Err() != nil:
		*out = Error{Class: ClassOf(ctx.Err()), Message: "gave up waiting: " + ctx.Err().Error(), sent: out.sent, cause: ctx.Err()}
	case out.Class == ClassTimeout:
		out.Message = fmt.Sprintf("no answer within %s", c.config.Timeout)
		c.pool.avoid(e, out)
	case out.Class == ClassUnavailable:
		c.pool.avoid(e, out)
	}
	return zero, out
}

func (c *Client) fail(op operation, e *endpoint, err *Error, maybeApplied bool) *Error {
	err.Endpoint, err.Method, err.MaybeApplied = e.address, op.method, maybeApplied
	return err
}

func contextError(ctx context.Context) *Error {
	return &Error{Class: ClassOf(ctx.Err()), Message: "gave up retrying: " + ctx.Err().Error(), cause: ctx.Err()}
}

// outcomeUnknown reports whether a write that failed so may have been applied.
func (e *Error) outcomeUnknown() bool {
	if !e.sent {
		return false
	}
	if e.fromNode && (e.Class == ClassUnavailable || e.Hints[hintOutcome] == outcomeUnknown) {
		return e.Hints[hintOutcome] == outcomeUnknown // a node says so when it does not know, or when a part of a write is done
	}
	switch e.Class {
	case ClassUnavailable, ClassTimeout, ClassCanceled, ClassInternal:
		return true
	default:
		return false
	}
}

// What a node says of a write whose outcome it does not know.
const (
	hintOutcome    = "outcome"
	outcomeUnknown = "unknown"
)

// hintElsewhere is what a node says of a request that it refuses and another one may take.
const hintElsewhere = "elsewhere"

// mayRepeat is the table in the package's doc.
func (op operation) mayRepeat(e *Error) bool {
	if op.kind == once && e.outcomeUnknown() {
		return false
	}
	switch e.Class {
	case ClassNotPrimary, ClassStaleEpoch:
		return true
	case ClassExhausted:
		// Without either it is gRPC's own: a message over the limit, which stays so.
		return e.fromNode || e.retryAfter > 0
	case ClassConflict:
		return op.ddl
	case ClassUnavailable, ClassTimeout:
		return true
	default:
		return false
	}
}

// withKey adds the API key to what a call sends.
func withKey(ctx context.Context, key string) context.Context {
	if key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "api-key", key)
}

// mark is what a call's connection told about it.
type mark struct {
	sent       atomic.Bool
	retryAfter atomic.Int64 // nanoseconds; 0: the server named no time
}

type markKey struct{}

// marker fills in the *mark of a call's context. gRPC reports the outgoing header only once a connection took it, so an
// unmarked call surely reached nobody: unlike the text of the error, this does not change between versions.
type marker struct{}

// TagRPC keeps the context: the mark stands in it already.
func (marker) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC sets the mark.
func (marker) HandleRPC(ctx context.Context, s stats.RPCStats) {
	seen, ok := ctx.Value(markKey{}).(*mark)
	if !ok {
		return
	}
	switch s := s.(type) {
	case *stats.OutHeader:
		seen.sent.Store(true)
	case *stats.InTrailer:
		for _, v := range s.Trailer.Get("retry-after") {
			if seconds, err := strconv.ParseUint(v, 10, 16); err == nil {
				seen.retryAfter.Store(int64(time.Duration(seconds) * time.Second))
			}
		}
	}
}

// TagConn keeps the context.
func (marker) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (marker) HandleConn(context.Context, stats.ConnStats) {}

// Settle makes a change whose outcome may stay unknown, such as creating a collection. It runs do; whenever that fails
// with an unknown outcome, it asks look whether the change is there, and repeats do only when it is not. Look may
// return an error of a transient class, and is asked again. It returns nil once do succeeded or look said true, and
// otherwise the last error of do or look; ctx bounds the whole.
//
// A change that look does not see yet may still be applied later, so do must be one that fails, and is harmless, when
// repeated after it took effect: creating (EXISTS), deleting, or declaring a whole configuration.
func Settle(ctx context.Context, do func(context.Context) error, look func(context.Context) (bool, error)) error {
	unknown := false
	for wait := backoffFirst; ; wait = min(2*wait, backoffMax) {
		err := do(ctx)
		if err == nil || (!unknown && !OutcomeUnknown(err)) {
			return err
		}
		unknown = true
		done, lookErr := lookUntil(ctx, look)
		switch {
		case lookErr != nil:
			return errors.Join(err, lookErr)
		case done:
			return nil
		case !OutcomeUnknown(err):
			return err
		case !pause(ctx, jitter(wait)):
			return errors.Join(err, ctx.Err())
		}
	}
}

func lookUntil(ctx context.Context, look func(context.Context) (bool, error)) (bool, error) {
	for wait := backoffFirst; ; wait = min(2*wait, backoffMax) {
		done, err := look(ctx)
		if err == nil || !IsTransient(err) || ctx.Err() != nil {
			return done, err
		}
		if !pause(ctx, jitter(wait)) {
			return false, errors.Join(err, ctx.Err())
		}
	}
}
