package api

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
)

// snapshotsService serves qdrant.Snapshots, of which nothing is built.
type snapshotsService struct {
	qdrant.UnimplementedSnapshotsServer
}

// Create is not built.
func (*snapshotsService) Create(context.Context, *qdrant.CreateSnapshotRequest) (*qdrant.CreateSnapshotResponse, error) {
	return nil, missing("snapshots of collections", "Snapshots.Create")
}

// List is not built.
func (*snapshotsService) List(context.Context, *qdrant.ListSnapshotsRequest) (*qdrant.ListSnapshotsResponse, error) {
	return nil, missing("snapshots of collections", "Snapshots.List")
}

// Delete is not built.
func (*snapshotsService) Delete(context.Context, *qdrant.DeleteSnapshotRequest) (*qdrant.DeleteSnapshotResponse, error) {
	return nil, missing("snapshots of collections", "Snapshots.Delete")
}

// CreateFull is not built.
func (*snapshotsService) CreateFull(context.Context, *qdrant.CreateFullSnapshotRequest) (*qdrant.CreateSnapshotResponse, error) {
	return nil, missing("snapshots of the whole storage", "Snapshots.CreateFull")
}

// ListFull is not built.
func (*snapshotsService) ListFull(context.Context, *qdrant.ListFullSnapshotsRequest) (*qdrant.ListSnapshotsResponse, error) {
	return nil, missing("snapshots of the whole storage", "Snapshots.ListFull")
}

// DeleteFull is not built.
func (*snapshotsService) DeleteFull(context.Context, *qdrant.DeleteFullSnapshotRequest) (*qdrant.DeleteSnapshotResponse, error) {
	return nil, missing("snapshots of the whole storage", "Snapshots.DeleteFull")
}
