package overload

import (
	"context"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// retryAfterKey is the metadata by which clients of Qdrant learn after how many seconds to come again.
const retryAfterKey = "retry-after"

// Wrap puts the gate before every method of a service. A method's handler gets the means to read its request, and the library
// reads nothing before that is used: so the gate decides before a body takes memory. Errors leave as statuses.
func (g *Gate) Wrap(desc *grpc.ServiceDesc) *grpc.ServiceDesc {
	wrapped := *desc
	wrapped.Methods = slices.Clone(desc.Methods)
	for i := range wrapped.Methods {
		method, name := wrapped.Methods[i].Handler, "/"+desc.ServiceName+"/"+wrapped.Methods[i].MethodName
		if g.opts.Exempt(name) {
			continue
		}
		wrapped.Methods[i].Handler = func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			resp, err := g.through(ctx, name, decode, func(decode func(any) error) (any, error) { return method(srv, ctx, decode, interceptor) })
			if err != nil {
				hint(ctx, err)
			}
			return resp, err
		}
	}
	return &wrapped
}

func (g *Gate) through(ctx context.Context, name string, decode func(any) error, work func(func(any) error) (any, error)) (any, error) {
	p, err := g.enter(ctx, name)
	if err != nil {
		return nil, fault.Status(err).Err()
	}
	defer p.leave()
	read := decode
	if g.opts.Large(name) {
		read = func(req any) error { return arrive(req, decode, g.opts.Limits.Arrival) }
	}
	return work(func(req any) error {
		err := p.receive(ctx, func() (int, error) { return sized(req, read) })
		if _, is := status.FromError(err); is {
			return err
		}
		return fault.Status(err).Err()
	})
}

// sized reads a request and returns how large it is.
func sized(req any, read func(any) error) (int, error) {
	if err := read(req); err != nil {
		return 0, err
	}
	m, ok := req.(proto.Message)
	if !ok {
		return 0, nil
	}
	return proto.Size(m), nil
}

// arrive reads a request and gives up if it comes too slowly. The reading ends with the call then, as the library ends the call's
// stream; its outcome is nobody's concern.
func arrive(req any, decode func(any) error, patience time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- decode(req) }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fault.New(fault.Exhausted, "the request has not arrived within %s: send smaller batches", patience)
	}
}

// hint tells when to come again, if a limit was in the way.
func hint(ctx context.Context, err error) {
	if after, ok := fault.RetryAfter(err); ok {
		seconds := int64((after + time.Second - 1) / time.Second)
		_ = grpc.SetTrailer(ctx, metadata.Pairs(retryAfterKey, strconv.FormatInt(seconds, 10))) // the error says it as well
	}
}
