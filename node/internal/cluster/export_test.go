package cluster

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// WatchOperation is the service's, without a stream.
func WatchOperation(ctx context.Context, s *Service, id uint64, each func(*clusterpb.Operation) error) error {
	return statusOf(s.watchOperation(ctx, catalog.OperationID(id), func(r *clusterpb.WatchOperationResponse) error { return each(r.GetOperation()) }))
}
