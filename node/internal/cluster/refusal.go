package cluster

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
)

// Refusals counts the writes that clients were refused because too few replicas count for their write consistency.
type Refusals struct {
	events  *event.Log
	refused prometheus.Counter
}

// NewRefusals registers the metric with reg.
func NewRefusals(reg prometheus.Registerer, events *event.Log) (*Refusals, error) {
	r := &Refusals{events: events, refused: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ostraka_cluster_refused_writes_total", Help: "Requests to write that were refused because too few replicas count for the write consistency.",
	})}
	return r, reg.Register(r.refused)
}

// Unary watches the answers. Put it outside of what words the errors. No other failure of a write has this code: the
// coordinator gives its class to nothing else.
func (r *Refusals) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	resp, err := h(ctx, req)
	if err == nil || status.Code(err) != codes.FailedPrecondition || !writes(info.FullMethod) {
		return resp, err
	}
	r.refused.Inc()
	e := event.Event{Kind: event.WriteRefused, Severity: event.Warn, Text: "a write was refused: " + status.Convert(err).Message()}
	if named, ok := req.(interface{ GetCollectionName() string }); ok {
		e.Collection = named.GetCollectionName()
	}
	r.events.AppendSometimes(e)
	return resp, err
}

// writes tells whether a method changes points.
func writes(method string) bool {
	switch method {
	case qdrant.Points_Upsert_FullMethodName, qdrant.Points_Delete_FullMethodName, qdrant.Points_UpdateVectors_FullMethodName,
		qdrant.Points_DeleteVectors_FullMethodName, qdrant.Points_SetPayload_FullMethodName, qdrant.Points_OverwritePayload_FullMethodName,
		qdrant.Points_DeletePayload_FullMethodName, qdrant.Points_ClearPayload_FullMethodName, qdrant.Points_UpdateBatch_FullMethodName:
		return true
	}
	return false
}
