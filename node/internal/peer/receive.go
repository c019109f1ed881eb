package peer

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
)

// receiveAll calls receive with each message of a stream, in order, until the stream ends or receive fails.
func receiveAll[T any](ctx context.Context, a *attempt, stream grpc.ServerStreamingClient[T], receive func(*T) error) error {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return a.fault(ctx, err)
		}
		if err := receive(m); err != nil {
			return err
		}
	}
}
