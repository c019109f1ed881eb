package client

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
)

// stream opens a stream on one endpoint after the other until one begins to answer, and gives each to what follows. A
// stream that breaks once it has begun is not begun again: what came of it stands. An error of each ends it and is
// returned as it is.
func stream[T any](ctx context.Context, c *Client, op operation, open func(context.Context, *endpoint) (grpc.ServerStreamingClient[T], error), each func(*T) error) error {
	ctx, cancel := context.WithCancel(withKey(ctx, c.config.APIKey))
	defer cancel()
	tried := map[*endpoint]bool{}
	for attempts := 1; ; attempts++ {
		e := c.pool.pick(tried)
		if e == nil {
			clear(tried)
			e = c.pool.pick(nil)
		}
		tried[e] = true
		begun, err := receive(ctx, c, e, open, each)
		var failed *Error
		if !errors.As(err, &failed) || failed.Endpoint != "" { // none, or each's own
			return err
		}
		if failed.Class == ClassUnavailable && !failed.fromNode && ctx.Err() == nil {
			c.pool.avoid(e, failed)
		}
		if begun || attempts >= c.config.MaxAttempts || ctx.Err() != nil || !op.mayRepeat(failed) {
			return c.fail(op, e, failed, false)
		}
	}
}

// receive reads one stream to its end; begun tells whether anything came.
func receive[T any](ctx context.Context, c *Client, e *endpoint, open func(context.Context, *endpoint) (grpc.ServerStreamingClient[T], error), each func(*T) error) (begun bool, err error) {
	if c.pool.isClosed() {
		return false, &Error{Class: ClassCanceled, Message: "the client is closed"}
	}
	s, err := open(ctx, e)
	for err == nil {
		var reply *T
		if reply, err = s.Recv(); err == nil {
			begun = true
			if err := each(reply); err != nil {
				return begun, err
			}
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return begun, nil
	case ctx.Err() != nil:
		return begun, contextError(ctx)
	}
	if at, limited := ctx.Deadline(); limited && !time.Now().Before(at) {
		<-ctx.Done() // the server's clock has said so before ours
		return begun, contextError(ctx)
	}
	return begun, errorOf(err)
}
