package command

import (
	"maps"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// The JSON of `ostraka status -o json`. Its keys are a contract: add, never rename.
type statusJSON struct {
	Cluster     clusterJSON      `json:"cluster"`
	Collections []collectionJSON `json:"collections"`
	Operations  []operationJSON  `json:"operations"`
	Problems    []string         `json:"problems"`
	Notes       []string         `json:"notes"`
}

type clusterJSON struct {
	ID            string     `json:"id"`
	AnsweringPeer uint64     `json:"answering_peer"`
	Leader        uint64     `json:"leader"`
	Term          uint64     `json:"term"`
	AppliedIndex  uint64     `json:"applied_index"`
	Version       string     `json:"version"`
	Peers         []peerJSON `json:"peers"`
}

type peerJSON struct {
	ID          uint64 `json:"id"`
	Name        string `json:"name"`
	GRPCAddress string `json:"grpc_address"`
	PeerAddress string `json:"peer_address"`
	HTTPAddress string `json:"http_address"`
	Zone        string `json:"zone"`
	Version     string `json:"version"`
	Alive       bool   `json:"alive"`
	Voter       bool   `json:"voter"`
	Leader      bool   `json:"leader"`
	Replaced    bool   `json:"replaced"`
	LastSeen    string `json:"last_seen,omitempty"`
	Replicas    uint32 `json:"replicas"`

	State     string            `json:"state"`
	Labels    map[string]string `json:"labels"`
	Primaries uint64            `json:"primaries"`
	Bytes     uint64            `json:"bytes"`
	DiskFree  uint64            `json:"disk_free_bytes"`
	DiskTotal uint64            `json:"disk_total_bytes"`
	Problem   string            `json:"problem,omitempty"`
}

type collectionJSON struct {
	Name                   string      `json:"name"`
	ShardNumber            uint32      `json:"shard_number"`
	ReplicationFactor      uint32      `json:"replication_factor"`
	WriteConsistencyFactor uint32      `json:"write_consistency_factor"`
	AsDeclared             bool        `json:"as_declared"`
	Warnings               []string    `json:"warnings"`
	Shards                 []shardJSON `json:"shards"`
}

type shardJSON struct {
	ID               uint32        `json:"id"`
	DeclaredReplicas uint32        `json:"declared_replicas"`
	ActiveReplicas   uint32        `json:"active_replicas"`
	Primary          uint64        `json:"primary"`
	Term             uint64        `json:"term"`
	WriteQuorum      uint32        `json:"write_quorum"`
	Writable         bool          `json:"writable"`
	Points           uint64        `json:"points"`
	Problem          string        `json:"problem"`
	UnsafePromotions uint64        `json:"unsafe_promotions"`
	Version          uint64        `json:"version"`
	Replicas         []replicaJSON `json:"replicas"`
	ShardKey         any           `json:"shard_key,omitempty"` // a word, or a number
}

type replicaJSON struct {
	Peer         uint64 `json:"peer"`
	Name         string `json:"name"`
	State        string `json:"state"`
	Alive        bool   `json:"alive"`
	LastIndex    uint64 `json:"last_index"`
	AppliedIndex uint64 `json:"applied_index"`
	Points       uint64 `json:"points"`
	Generation   uint64 `json:"generation"`
	Differs      string `json:"differs,omitempty"`
}

func (s situation) json() statusJSON {
	c := s.cluster
	out := statusJSON{
		Cluster: clusterJSON{ID: c.ID, AnsweringPeer: uint64(c.AnsweringPeer), Leader: uint64(c.Leader), Term: c.Term,
			AppliedIndex: c.AppliedIndex, Version: c.Version, Peers: []peerJSON{}},
		Collections: []collectionJSON{},
		Operations:  operationsJSON(s.operations),
		Problems:    append([]string{}, s.problems()...),
		Notes:       append([]string{}, s.notes()...),
	}
	for _, p := range c.Peers {
		peer := peerJSON{ID: uint64(p.ID), Name: p.Name, GRPCAddress: p.GRPCAddress, PeerAddress: p.PeerAddress, HTTPAddress: p.HTTPAddress,
			Zone: p.Zone, Version: p.Version, Alive: p.Alive, Voter: p.Voter, Leader: p.Leader, Replaced: p.Replaced, Replicas: p.Replicas,
			State: string(p.State), Labels: map[string]string{}, Primaries: p.Primaries, Bytes: p.Bytes, DiskFree: p.DiskFree, DiskTotal: p.DiskTotal, Problem: p.Problem}
		maps.Copy(peer.Labels, p.Labels)
		if !p.LastSeen.IsZero() {
			peer.LastSeen = p.LastSeen.UTC().Format(time.RFC3339Nano)
		}
		out.Cluster.Peers = append(out.Cluster.Peers, peer)
	}
	for _, c := range s.collections {
		out.Collections = append(out.Collections, s.collectionJSON(c))
	}
	return out
}

func (s situation) collectionJSON(c client.CollectionPlacement) collectionJSON {
	out := collectionJSON{
		Name: c.Collection, ShardNumber: c.ShardNumber, ReplicationFactor: c.ReplicationFactor,
		WriteConsistencyFactor: c.WriteConsistencyFactor, AsDeclared: c.AsDeclared(),
		Warnings: append([]string{}, c.Warnings...), Shards: []shardJSON{},
	}
	for _, shard := range c.Shards {
		sh := shardJSON{
			ID: shard.ID, DeclaredReplicas: shard.DeclaredReplicas, ActiveReplicas: shard.ActiveReplicas, Primary: uint64(shard.Primary),
			Term: shard.Term, WriteQuorum: shard.WriteQuorum, Writable: shard.Writable, Points: shardPoints(shard), Problem: shard.Problem,
			UnsafePromotions: shard.UnsafePromotions, Version: shard.Version, Replicas: []replicaJSON{},
		}
		if shard.Key != nil {
			sh.ShardKey = wordOrNumber(*shard.Key)
		}
		for _, r := range shard.Replicas {
			sh.Replicas = append(sh.Replicas, replicaJSON{Peer: uint64(r.Peer), Name: s.peerName(r.Peer), State: string(r.State), Alive: r.Alive,
				LastIndex: r.LastIndex, AppliedIndex: r.AppliedIndex, Points: r.Points, Generation: r.Generation, Differs: r.Differs})
		}
		out.Shards = append(out.Shards, sh)
	}
	return out
}
