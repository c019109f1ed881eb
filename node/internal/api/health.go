package api

import (
	"context"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// Title is what Qdrant calls itself; some clients compare it.
const Title = "qdrant - vector search engine"

// Compatible is the version of Qdrant whose API this is. Clients compare it with their own and warn if the minor
// versions are more than one apart.
const Compatible = "1.19.0"

type qdrantService struct {
	qdrant.UnimplementedQdrantServer
	*core
}

// HealthCheck names the API's version where clients parse it, and this program's own as the commit, which they only
// show.
func (s *qdrantService) HealthCheck(context.Context, *qdrant.HealthCheckRequest) (*qdrant.HealthCheckReply, error) {
	commit := "ostraka " + s.Version
	if s.Commit != "" {
		commit += " " + s.Commit
	}
	return &qdrant.HealthCheckReply{Title: Title, Version: Compatible, Commit: &commit}, nil
}

// watchInterval is how soon Watch shows a change.
const watchInterval = time.Second

// healthService tells liveness under the empty name, always SERVING as Qdrant's is, and readiness under the names
// of the services that it serves.
type healthService struct {
	grpc_health_v1.UnimplementedHealthServer
	ready func() error
}

func (s *healthService) status(service string) (grpc_health_v1.HealthCheckResponse_ServingStatus, bool) {
	switch service {
	case "":
		return grpc_health_v1.HealthCheckResponse_SERVING, true
	case "qdrant.Qdrant", "qdrant.Collections", "qdrant.Points":
		if s.ready() != nil {
			return grpc_health_v1.HealthCheckResponse_NOT_SERVING, true
		}
		return grpc_health_v1.HealthCheckResponse_SERVING, true
	}
	return grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN, false
}

// Check answers for one service.
func (s *healthService) Check(_ context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	st, known := s.status(r.GetService())
	if !known {
		return nil, status.Errorf(codes.NotFound, "unknown service %.64q", r.GetService())
	}
	return &grpc_health_v1.HealthCheckResponse{Status: st}, nil
}

// Watch sends the status of a service at once and after each change.
func (s *healthService) Watch(r *grpc_health_v1.HealthCheckRequest, stream grpc.ServerStreamingServer[grpc_health_v1.HealthCheckResponse]) error {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	sent := grpc_health_v1.HealthCheckResponse_UNKNOWN
	for {
		if st, _ := s.status(r.GetService()); st != sent {
			if err := stream.Send(&grpc_health_v1.HealthCheckResponse{Status: st}); err != nil {
				return err
			}
			sent = st
		}
		select {
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		case <-ticker.C:
		}
	}
}
