package peer

import (
	"context"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
)

const (
	clusterKey = "ostraka-cluster"
	// MaxMessage bounds one gRPC message between peers, in bytes.
	MaxMessage = 64 << 20
)

// ServerOptions returns the options of the gRPC server that serves the peer port: the check of the cluster id, errors
// by class, and limits that match the Pool's.
func ServerOptions(m *Membership) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.ChainUnaryInterceptor(m.checkUnary),
		grpc.ChainStreamInterceptor(m.checkStream),
	}
}

func (m *Membership) checkUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := m.check(ctx, info.FullMethod); err != nil {
		return nil, fault.Status(err).Err()
	}
	resp, err := next(ctx, req)
	return resp, statusOf(err)
}

func (m *Membership) checkStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := m.check(ss.Context(), info.FullMethod); err != nil {
		return fault.Status(err).Err()
	}
	return statusOf(next(srv, ss))
}

// statusOf classes what a handler returned; a status that gRPC itself made passes as it is.
func statusOf(err error) error {
	if err == nil {
		return nil
	}
	var classed *fault.Error
	if _, ok := status.FromError(err); ok && !errors.As(err, &classed) {
		return err
	}
	return fault.Status(err).Err()
}

// check compares the caller's cluster with this node's. Who is not a member yet may only say Hello and ask to Join.
func (m *Membership) check(ctx context.Context, method string) error {
	if method == peerpb.Peer_Hello_FullMethodName || method == peerpb.Peer_Join_FullMethodName {
		return nil
	}
	own := m.ID()
	if own == "" {
		return fault.New(fault.Unavailable, "this node is not a member of a cluster yet")
	}
	theirs := metadata.ValueFromIncomingContext(ctx, clusterKey)
	if len(theirs) != 1 || theirs[0] != own {
		return fault.New(fault.FailedPrecondition, "this node belongs to cluster %q, the caller to %q", own, theirs)
	}
	return nil
}

// attachUnary and attachStream say which cluster the caller belongs to.
func (m *Membership) attachUnary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return next(m.attach(ctx), method, req, reply, cc, opts...)
}

func (m *Membership) attachStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return next(m.attach(ctx), desc, cc, method, opts...)
}

func (m *Membership) attach(ctx context.Context) context.Context {
	if id := m.ID(); id != "" {
		return metadata.AppendToOutgoingContext(ctx, clusterKey, id)
	}
	return ctx
}

// detailed reports whether a status carries the detail that fault.Status adds.
func detailed(err error) bool {
	st, ok := status.FromError(err)
	if !ok {
		return false
	}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == fault.Domain {
			return true
		}
	}
	return false
}
