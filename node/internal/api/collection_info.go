package api

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
)

// infoTimeout bounds the counting of points, so that what is declared can be read while shards are away.
const infoTimeout = 3 * time.Second

// Get shows what a collection declares and how it is.
func (s *collectionsService) Get(ctx context.Context, r *qdrant.GetCollectionInfoRequest) (*qdrant.GetCollectionInfoResponse, error) {
	start := time.Now()
	state, found, err := s.find(ctx, r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	config, err := configTo(found.Config)
	if err != nil {
		return nil, err
	}
	info := &qdrant.CollectionInfo{
		Status: health(found, state.Members()), OptimizerStatus: &qdrant.OptimizerStatus{Ok: true},
		SegmentsCount: uint64(len(found.Shards)), Config: config,
		UpdateQueue: &qdrant.UpdateQueueInfo{},
	}
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	info.Warnings = warningsTo(s.Warnings(ctx, found))
	counts, err := s.Inspector.Info(ctx, found.Name)
	if err == nil {
		info.PointsCount, info.IndexedVectorsCount = &counts.Points, &counts.Indexed
	}
	info.PayloadSchema = payloadSchemaTo(found.PayloadSchema, counts.Fields)
	showIndexing(info, counts)
	if silent := silentShards(counts, err); len(silent) > 0 {
		info.Status = qdrant.CollectionStatus_Red
		info.Warnings = append(info.Warnings, warningsTo(silent)...)
	}
	return &qdrant.GetCollectionInfoResponse{Result: info, Time: since(start)}, nil
}

// showIndexing tells how the graphs are: yellow while they are being built, and what went wrong if they are not.
func showIndexing(info *qdrant.CollectionInfo, counts coordinator.Info) {
	if counts.Indexing && info.Status == qdrant.CollectionStatus_Green {
		info.Status = qdrant.CollectionStatus_Yellow
	}
	if len(counts.Problems) > 0 {
		info.OptimizerStatus = &qdrant.OptimizerStatus{Error: strings.Join(counts.Problems, "; ")}
		info.Warnings = append(info.Warnings, warningsTo(counts.Problems)...)
	}
}

// silentShards says which shards' points are not in the count.
func silentShards(counts coordinator.Info, err error) []string {
	if err != nil {
		return []string{fmt.Sprintf("the points cannot be counted: %v", err)}
	}
	var out []string
	for _, sh := range counts.Shards {
		if !sh.Answered {
			out = append(out, fmt.Sprintf("shard %d does not answer: its points are not in the count", sh.ID))
		}
	}
	return out
}

// health is green when every shard has as many active replicas as it can have with so many peers, yellow while one
// is being brought up, and red when a shard has none. Fewer replicas than declared for want of peers are green, as
// nothing is going on, and have a warning.
func health(c *catalog.Collection, peers int) qdrant.CollectionStatus {
	status := qdrant.CollectionStatus_Green
	for _, sh := range c.Shards {
		active := len(sh.Active())
		if active == 0 {
			return qdrant.CollectionStatus_Red
		}
		if active < len(sh.Replicas) || active < min(c.Factor(sh), peers) {
			status = qdrant.CollectionStatus_Yellow
		}
	}
	return status
}

func warningsTo(texts []string) []*qdrant.CollectionWarning {
	out := make([]*qdrant.CollectionWarning, len(texts))
	for i, text := range texts {
		out[i] = &qdrant.CollectionWarning{Message: text}
	}
	return out
}

// CollectionClusterInfo shows the replicas of a collection as this node sees them, ordered by shard. A partial replica is a
// transfer: its primary brings it up to date, by a snapshot or from the log; ostraka.cluster.v1 tells how far.
func (s *collectionsService) CollectionClusterInfo(ctx context.Context, r *qdrant.CollectionClusterInfoRequest) (*qdrant.CollectionClusterInfoResponse, error) {
	start := time.Now()
	_, found, err := s.find(ctx, r.GetCollectionName())
	if err != nil {
		return nil, err
	}
	resp := &qdrant.CollectionClusterInfoResponse{PeerId: uint64(s.Self), ShardCount: uint64(len(found.Shards))}
	for _, sh := range found.Shards {
		filling := false
		if sh.Key != nil {
			k, ok := found.ShardKey(*sh.Key)
			filling = ok && k.Partial
		}
		for _, replica := range sh.Replicas {
			state := qdrant.ReplicaState(replica.State)
			if filling && replica.State == catalog.Active {
				state = qdrant.ReplicaState_Partial // complete as a copy, of a key that is not filled
			}
			if replica.State == catalog.Partial {
				resp.ShardTransfers = append(resp.ShardTransfers, &qdrant.ShardTransferInfo{
					ShardId: uint32(sh.ID), From: uint64(sh.Primary), To: uint64(replica.Peer), Sync: true,
				})
			}
			if replica.Peer == s.Self {
				resp.LocalShards = append(resp.LocalShards, &qdrant.LocalShardInfo{
					ShardId: uint32(sh.ID), State: state, ShardKey: shardKeyTo(sh.Key),
					PointsCount: s.LocalPoints(catalog.ShardRef{Collection: found.ID, Shard: sh.ID}),
				})
				continue
			}
			resp.RemoteShards = append(resp.RemoteShards, &qdrant.RemoteShardInfo{
				ShardId: uint32(sh.ID), PeerId: uint64(replica.Peer), State: state, ShardKey: shardKeyTo(sh.Key),
			})
		}
	}
	resp.Time = since(start)
	return resp, nil
}
