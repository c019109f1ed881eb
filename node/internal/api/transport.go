package api

import (
	"context"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // clients in JavaScript send gzip by default
	"google.golang.org/grpc/keepalive"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// MaxMessageBytes bounds a request: 20,000 points of 768 dimensions. A reply is bounded by what its client takes.
const MaxMessageBytes = 64 << 20

// maxStreams bounds the requests in flight of one connection; clients wait for a free stream.
const maxStreams = 1024

// streamWorkers is how many goroutines handle requests again and again, so that their stacks need not grow each time. When
// all are busy, others are made.
const streamWorkers = 16

// How much of a request, and of all of a connection, may be under way. The library's default finds out what a connection takes, by
// asking the client for a sign of life with each request that it sends, which is about a tenth of what a small request costs; and lets
// a fast client have 16 MiB for each.
const (
	streamWindow = 1 << 20
	connWindow   = 4 << 20
)

// ServerOptions returns how a server that carries these services is to be set up. Interceptors, such as those that
// measure, are called in the order given, before the one that words errors of foreign services.
func ServerOptions(interceptors ...grpc.UnaryServerInterceptor) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessageBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.ForceServerCodecV2(newCodec()), // the library takes what it does not know as a content type for Protocol Buffers anyway
		// The official Go client pings every 10 s, also without a call; the library's default would cut it off.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.ChainUnaryInterceptor(append(interceptors, classify)...),
	}
}

// classify gives errors of any other service the status of their class. Qdrant's services have worded theirs.
func classify(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	resp, err := h(ctx, req)
	if err == nil || isStatus(err) {
		return resp, err
	}
	return resp, fault.Status(err).Err()
}
