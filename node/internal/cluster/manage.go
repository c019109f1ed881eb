package cluster

import (
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Proposer changes the metadata: from any node, and this node shows the change when it returns.
type Proposer interface {
	Propose(ctx context.Context, cmds ...catalog.Command) ([]catalog.Result, error)
}

// watchEvery is how often an operation that is watched is looked at while the metadata does not change, watchPause how long
// at least between two looks.
const (
	watchEvery = 500 * time.Millisecond
	watchPause = 100 * time.Millisecond
)

// propose makes one change and returns the operation that it began or joined, nil if it is none.
func (s *Service) propose(ctx context.Context, cmd catalog.Command) (*clusterpb.Operation, error) {
	if s.opts.Proposer == nil {
		return nil, fault.New(fault.Unsupported, "this node changes nothing")
	}
	results, err := s.opts.Proposer.Propose(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if len(results) == 0 || results[0].Operation == 0 {
		return nil, nil
	}
	return s.operation(ctx, results[0].Operation)
}

func now() int64 { return time.Now().UnixMilli() }

// operation describes one operation.
func (s *Service) operation(ctx context.Context, id catalog.OperationID) (*clusterpb.Operation, error) {
	state, _ := s.opts.Metadata.Watch()
	o, ok := state.Operation(id)
	if !ok && s.opts.CatchUp != nil {
		if err := s.opts.CatchUp(ctx); err != nil {
			return nil, err
		}
		state, _ = s.opts.Metadata.Watch()
		o, ok = state.Operation(id)
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "operation %d does not exist, or ended so long ago that it was forgotten", id)
	}
	return s.describe(ctx, state, o), nil
}

func (s *Service) describe(ctx context.Context, state *catalog.State, o *catalog.Operation) *clusterpb.Operation {
	obs := s.observe(nil)
	if refs := concerned(state, o); len(refs) > 0 {
		obs = s.observe(s.opts.Statuses.Statuses(ctx, refs))
	}
	return Operation(state, o, obs)
}

// UpdatePeer changes what is declared of a peer. To drain one is an operation, which is joined when it runs.
func (s *Service) UpdatePeer(ctx context.Context, req *clusterpb.UpdatePeerRequest) (*clusterpb.UpdatePeerResponse, error) {
	cmd := &catalog.UpdatePeer{ID: catalog.PeerID(req.GetPeer()), Zone: req.Zone, At: now()}
	if req.Labels != nil {
		labels := maps.Clone(req.GetLabels().GetLabels())
		if labels == nil {
			labels = map[string]string{}
		}
		cmd.Labels = &labels
	}
	if req.State != nil {
		state, err := peerStateFromWire(req.GetState())
		if err != nil {
			return nil, statusOf(err)
		}
		cmd.State = &state
	}
	op, err := s.propose(ctx, catalog.Command{UpdatePeer: cmd})
	if err != nil {
		return nil, statusOf(err)
	}
	all, err := s.GetCluster(ctx, nil)
	if err != nil {
		return nil, err
	}
	resp := &clusterpb.UpdatePeerResponse{Operation: op}
	if i := slices.IndexFunc(all.GetPeers(), func(p *clusterpb.Peer) bool { return p.GetId() == req.GetPeer() }); i >= 0 {
		resp.Peer = all.GetPeers()[i]
	}
	return resp, nil
}

func peerStateFromWire(w clusterpb.PeerState) (catalog.PeerState, error) {
	switch w {
	case clusterpb.PeerState_PEER_STATE_ACTIVE:
		return catalog.InService, nil
	case clusterpb.PeerState_PEER_STATE_DRAINING:
		return catalog.Draining, nil
	case clusterpb.PeerState_PEER_STATE_MAINTENANCE:
		return catalog.Maintenance, nil
	}
	return "", fault.New(fault.Invalid, "%d is no state of a peer", w)
}

func peerStateToWire(s catalog.PeerState) clusterpb.PeerState {
	switch s {
	case catalog.Draining:
		return clusterpb.PeerState_PEER_STATE_DRAINING
	case catalog.Maintenance:
		return clusterpb.PeerState_PEER_STATE_MAINTENANCE
	case catalog.InService:
	}
	return clusterpb.PeerState_PEER_STATE_ACTIVE
}

// Rebalance lets replicas that were placed by hand be placed by the cluster again, and evens out what the peers hold.
func (s *Service) Rebalance(ctx context.Context, req *clusterpb.RebalanceRequest) (*clusterpb.RebalanceResponse, error) {
	cmd := &catalog.RebalancePeers{At: now()}
	if name := req.GetCollection(); name != "" {
		_, cols, err := s.find(ctx, []string{name})
		if err != nil {
			return nil, statusOf(err)
		}
		cmd.Collection = cols[0].ID
	}
	op, err := s.propose(ctx, catalog.Command{Rebalance: cmd})
	if err != nil {
		return nil, statusOf(err)
	}
	return &clusterpb.RebalanceResponse{Operation: op}, nil
}

// Reshard declares into how many shards a collection, or a shard key of it, is cut. The number that is declared joins what runs, another turns it round.
func (s *Service) Reshard(ctx context.Context, req *clusterpb.ReshardRequest) (*clusterpb.ReshardResponse, error) {
	op, err := s.reshard(ctx, req)
	if err != nil {
		return nil, statusOf(err)
	}
	return &clusterpb.ReshardResponse{Operation: op}, nil
}

func (s *Service) reshard(ctx context.Context, req *clusterpb.ReshardRequest) (*clusterpb.Operation, error) {
	if req.GetCollection() == "" {
		return nil, fault.New(fault.Invalid, "reshard: name a collection")
	}
	// The collection comes before anything that is wrong with the rest: who wants to know what is built asks for one that cannot exist.
	_, cols, err := s.find(ctx, []string{req.GetCollection()})
	if err != nil {
		return nil, err
	}
	key, err := keyFromWire(req.GetShardKey())
	if err != nil {
		return nil, err
	}
	return s.propose(ctx, catalog.Command{Reshard: &catalog.Reshard{Collection: cols[0].ID, Key: key, ShardNumber: req.GetShardNumber(), At: now()}})
}

// UpdateShardKey changes what is declared of a shard key; what is not set stays as it is.
func (s *Service) UpdateShardKey(ctx context.Context, req *clusterpb.UpdateShardKeyRequest) (*clusterpb.UpdateShardKeyResponse, error) {
	k, err := s.updateShardKey(ctx, req)
	if err != nil {
		return nil, statusOf(err)
	}
	return &clusterpb.UpdateShardKeyResponse{ShardKey: k}, nil
}

func (s *Service) updateShardKey(ctx context.Context, req *clusterpb.UpdateShardKeyRequest) (*clusterpb.ShardKeyPlacement, error) {
	if req.GetCollection() == "" || req.ShardKey == nil {
		return nil, fault.New(fault.Invalid, "update shard key: name a collection and a shard key of it")
	}
	_, cols, err := s.find(ctx, []string{req.GetCollection()}) // first of all, as of Reshard
	if err != nil {
		return nil, err
	}
	key, err := keyFromWire(req.GetShardKey())
	if err != nil {
		return nil, err
	}
	if _, err := s.propose(ctx, catalog.Command{UpdateShardKey: keyChange(cols[0].ID, *key, req.ReplicationFactor, req.Placement)}); err != nil {
		return nil, err
	}
	state, _ := s.opts.Metadata.Watch()
	col, ok := state.Collections[cols[0].ID]
	if !ok {
		return nil, fault.New(fault.NotFound, "collection `%s` was deleted meanwhile", req.GetCollection())
	}
	g, err := col.Group(key)
	if err != nil {
		return nil, err
	}
	return keyPlacement(col, g), nil
}

// keyChange is the change of a shard key that a request asks for.
func keyChange(id catalog.CollectionID, key point.ShardKey, replicas *uint32, placement *clusterpb.PeerSet) *catalog.UpdateShardKey {
	cmd := &catalog.UpdateShardKey{Collection: id, Key: key, ReplicationFactor: replicas}
	if placement != nil {
		peers := append([]catalog.PeerID{}, peersFromWire(placement)...)
		cmd.Peers = &peers
	}
	return cmd
}

// GetSettings tells how the cluster keeps what is declared; what was never set has its default.
func (s *Service) GetSettings(context.Context, *clusterpb.GetSettingsRequest) (*clusterpb.GetSettingsResponse, error) {
	state, _ := s.opts.Metadata.Watch()
	return &clusterpb.GetSettingsResponse{Settings: settingsToWire(state.Settings)}, nil
}

// UpdateSettings changes what is set in the request.
func (s *Service) UpdateSettings(ctx context.Context, req *clusterpb.UpdateSettingsRequest) (*clusterpb.UpdateSettingsResponse, error) {
	w := req.GetSettings()
	if w == nil {
		w = &clusterpb.Settings{}
	}
	change := &catalog.Settings{
		ReplicaReplaceAfterSeconds: w.ReplicaReplaceAfterSeconds, Paused: w.Paused, TransfersPerPeer: w.TransfersPerPeer,
		TransfersPerCluster: w.TransfersPerCluster, TransferBytesPerSecond: w.TransferBytesPerSecond, Balance: w.Balance,
	}
	if *change != (catalog.Settings{}) {
		if _, err := s.propose(ctx, catalog.Command{UpdateSettings: change}); err != nil {
			return nil, statusOf(err)
		}
	}
	state, _ := s.opts.Metadata.Watch()
	return &clusterpb.UpdateSettingsResponse{Settings: settingsToWire(state.Settings)}, nil
}

func settingsToWire(s catalog.Settings) *clusterpb.Settings {
	e := s.Effective()
	return &clusterpb.Settings{
		ReplicaReplaceAfterSeconds: e.ReplicaReplaceAfterSeconds, Paused: e.Paused, TransfersPerPeer: e.TransfersPerPeer,
		TransfersPerCluster: e.TransfersPerCluster, TransferBytesPerSecond: e.TransferBytesPerSecond, Balance: e.Balance,
	}
}

// ListOperations lists what takes long, newest first: of one collection, by its name or an alias or the name it had, or all.
func (s *Service) ListOperations(ctx context.Context, req *clusterpb.ListOperationsRequest) (*clusterpb.ListOperationsResponse, error) {
	state, _ := s.opts.Metadata.Watch()
	of := catalog.CollectionID(0)
	if col, ok := state.Lookup(req.GetCollection()); ok {
		of = col.ID
	}
	resp := &clusterpb.ListOperationsResponse{}
	for _, o := range slices.Backward(state.Operations) {
		mine := req.GetCollection() == "" || o.Name == req.GetCollection() || of != 0 && o.Collection == of
		if mine && (o.State == catalog.Running || !req.GetRunningOnly()) {
			resp.Operations = append(resp.Operations, s.describe(ctx, state, o))
		}
	}
	return resp, nil
}

// WatchOperation tells of an operation at each change until it ends.
func (s *Service) WatchOperation(req *clusterpb.WatchOperationRequest, stream grpc.ServerStreamingServer[clusterpb.WatchOperationResponse]) error {
	return statusOf(s.watchOperation(stream.Context(), catalog.OperationID(req.GetId()), stream.Send))
}

func (s *Service) watchOperation(ctx context.Context, id catalog.OperationID, send func(*clusterpb.WatchOperationResponse) error) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var last *clusterpb.Operation
	for {
		_, changed := s.opts.Metadata.Watch()
		op, err := s.operation(ctx, id)
		if err != nil {
			return err
		}
		if !proto.Equal(op, last) {
			if err := send(&clusterpb.WatchOperationResponse{Operation: op}); err != nil {
				return err
			}
			last = op
		}
		if op.GetState() != clusterpb.OperationState_OPERATION_STATE_RUNNING {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.opts.Closing:
			return fault.New(fault.Unavailable, "this node is shutting down")
		case <-time.After(watchPause):
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.opts.Closing:
			return fault.New(fault.Unavailable, "this node is shutting down")
		case <-changed:
		case <-ticker.C:
		}
	}
}

// CancelOperation ends an operation and takes back what it asked for. One that was cancelled already stays so.
func (s *Service) CancelOperation(ctx context.Context, req *clusterpb.CancelOperationRequest) (*clusterpb.CancelOperationResponse, error) {
	id := catalog.OperationID(req.GetId())
	op, err := s.operation(ctx, id)
	if err == nil && op.GetState() != clusterpb.OperationState_OPERATION_STATE_CANCELLED {
		op, err = s.propose(ctx, catalog.Command{CancelOperation: &catalog.CancelOperation{ID: id, At: now()}})
	}
	if err != nil {
		return nil, statusOf(err)
	}
	return &clusterpb.CancelOperationResponse{Operation: op}, nil
}
