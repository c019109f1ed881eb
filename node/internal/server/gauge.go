package server

import (
	"fmt"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// gaugeLife is how long what was measured here is told again.
const gaugeLife = 2 * time.Second

// gauges tell how large things are, here and elsewhere.
type gauges struct {
	s      *Server
	census *peer.Census
	mu     struct {
		sync.Mutex
		own peer.Gauge
		at  time.Time
	}
}

// openCensus opens what counts how large the shards are.
func (s *Server) openCensus() error {
	census, err := peer.NewCensus(peer.CensusOptions{
		Self: s.id.PeerID, Metadata: s.raft, Leading: s.raft.Leading, Liveness: s.network.monitor, Local: s.replicas.Status, Remote: s.network.pool,
	})
	if err != nil {
		return fmt.Errorf("census: %w", err)
	}
	s.opened("census", census.Close)
	s.gauges.setCensus(census)
	return nil
}

// setCensus comes late: the reconciler is opened before the replicas that are counted.
func (g *gauges) setCensus(c *peer.Census) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.census = c
}

// Own measures this node, at most every gaugeLife. The file system is asked under the lock, so that many pings ask it once.
func (g *gauges) Own() peer.Gauge {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.census == nil || time.Since(g.mu.at) < gaugeLife {
		return g.withRoom(g.mu.own)
	}
	own := peer.Gauge{}
	for _, st := range g.s.replicas.Status(nil) {
		own.ReplicaBytes += st.Bytes
	}
	g.mu.own, g.mu.at = own, time.Now()
	return g.withRoom(own)
}

// withRoom adds how the disk is now.
func (g *gauges) withRoom(own peer.Gauge) peer.Gauge {
	room := g.s.warden.Room()
	own.DiskFree, own.DiskTotal, own.DiskEnough, own.DiskFull = room.Free, room.Total, room.Enough, room.Full
	return own
}

// Of returns what is known of a peer.
func (g *gauges) Of(id catalog.PeerID) peer.Gauge {
	if id == g.s.id.PeerID {
		return g.Own()
	}
	return g.s.network.monitor.Gauge(id)
}

// Disk implements reconcile.Gauges.
func (g *gauges) Disk(id catalog.PeerID) (free, total uint64) {
	known := g.Of(id)
	return known.DiskFree, known.DiskTotal
}

// room returns what is known of a peer's disk. Of one that does not answer nothing is.
func (g *gauges) room(id catalog.PeerID) disk.Room {
	switch {
	case id == g.s.id.PeerID:
		return g.s.warden.Room()
	case g.s.network.monitor.Alive(id):
		return g.s.network.monitor.Gauge(id).Room()
	}
	return disk.Room{}
}

// IsFull implements reconcile.Gauges.
func (g *gauges) IsFull(id catalog.PeerID) bool { return g.room(id).Full }

// Full implements replica.Disks and coordinator.Disks.
func (g *gauges) Full() map[catalog.PeerID]error {
	var full map[catalog.PeerID]error
	for id, p := range g.s.raft.State().Peers {
		if room := g.room(id); room.Full {
			if full == nil {
				full = map[catalog.PeerID]error{}
			}
			full[id] = room.Refusal(fmt.Sprintf("%s (peer %d)", p.Name, id))
		}
	}
	return full
}

// Bytes implements reconcile.Gauges.
func (g *gauges) Bytes() map[catalog.ShardRef]uint64 {
	g.mu.Lock()
	census := g.census
	g.mu.Unlock()
	if census == nil {
		return nil
	}
	return census.Bytes()
}
