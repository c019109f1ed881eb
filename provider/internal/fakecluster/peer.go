package fakecluster

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// Join lets one more peer join, and returns its name.
func (c *Cluster) Join() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := newPeer(len(c.mu.peers))
	c.mu.peers = append(c.mu.peers, p)
	return p.GetName()
}

// EditPeer changes a peer behind everybody's back.
func (c *Cluster) EditPeer(name string, edit func(*clusterpb.Peer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.mu.peers {
		if p.GetName() == name {
			edit(p)
		}
	}
}

// Leave lets a peer vanish from the metadata.
func (c *Cluster) Leave(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.peers = slices.DeleteFunc(c.mu.peers, func(p *clusterpb.Peer) bool { return p.GetName() == name })
}

func (c *Cluster) findLocked(id uint64) *clusterpb.Peer {
	for _, p := range c.mu.peers {
		if p.GetId() == id {
			return p
		}
	}
	return nil
}

func (s *clusterService) UpdatePeer(_ context.Context, r *clusterpb.UpdatePeerRequest) (*clusterpb.UpdatePeerResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.findLocked(r.GetPeer())
	if p == nil {
		return nil, status.Errorf(codes.NotFound, "there is no peer %d", r.GetPeer())
	}
	line := "peer " + p.GetName()
	if r.Zone != nil {
		p.Zone = r.GetZone()
		line += " zone " + p.GetZone()
	}
	if r.GetLabels() != nil {
		p.Labels = r.GetLabels().GetLabels()
		line += fmt.Sprintf(" labels %v", p.GetLabels())
	}
	out := &clusterpb.UpdatePeerResponse{}
	if r.State != nil {
		p.State = r.GetState()
		line += " " + p.GetState().String()
		if p.GetState() == clusterpb.PeerState_PEER_STATE_DRAINING {
			out.Operation = c.beginLocked(c.drainLocked(p))
		}
	}
	c.mu.log = append(c.mu.log, line)
	out.Peer = c.peerLocked(p)
	return out, nil
}

// drainLocked moves one replica at a time to a peer that lacks it.
func (c *Cluster) drainLocked(p *clusterpb.Peer) *operation {
	total := int(c.peerLocked(p).GetReplicas())
	return &operation{
		said: &clusterpb.Operation{Kind: "drain", Peer: p.GetId()},
		done: func() (int, int) { return total - int(c.peerLocked(p).GetReplicas()), total },
		step: func() {
			for _, found := range c.mu.collections {
				for _, s := range found.shards {
					i := slices.Index(s.replicas, p.GetId())
					if i < 0 {
						continue
					}
					for _, other := range c.mu.peers {
						if other.GetAlive() && other.GetState() == clusterpb.PeerState_PEER_STATE_ACTIVE && !slices.Contains(s.replicas, other.GetId()) {
							s.replicas[i] = other.GetId()
							return
						}
					}
				}
			}
		},
	}
}

func (s *clusterService) RemovePeer(_ context.Context, r *clusterpb.RemovePeerRequest) (*clusterpb.RemovePeerResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.findLocked(r.GetPeer())
	if p == nil {
		return nil, status.Errorf(codes.NotFound, "there is no peer %d", r.GetPeer())
	}
	if n := c.peerLocked(p).GetReplicas(); n > 0 {
		return nil, status.Errorf(codes.FailedPrecondition, "peer %s holds %d replicas", p.GetName(), n)
	}
	c.mu.peers = slices.DeleteFunc(c.mu.peers, func(other *clusterpb.Peer) bool { return other == p })
	c.mu.log = append(c.mu.log, "remove peer "+p.GetName())
	return &clusterpb.RemovePeerResponse{}, nil
}

func (s *clusterService) Rebalance(_ context.Context, r *clusterpb.RebalanceRequest) (*clusterpb.RebalanceResponse, error) {
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.mu.collections[r.GetCollection()]; !ok && r.GetCollection() != "" {
		return nil, missing(r.GetCollection())
	}
	c.mu.log = append(c.mu.log, "rebalance "+r.GetCollection())
	left := 2
	return &clusterpb.RebalanceResponse{Operation: c.beginLocked(&operation{
		said: &clusterpb.Operation{Kind: "rebalance", Collection: r.GetCollection()},
		done: func() (int, int) { return 2 - left, 2 },
		step: func() { left = max(0, left-1) },
	})}, nil
}
