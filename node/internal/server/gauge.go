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
		return g.mu.own
	}
	own := peer.Gauge{}
	for _, st := range g.s.replicas.Status(nil) {
		own.ReplicaBytes += st.Bytes
	}
	free, total, err := disk.Space(g.s.opts.DataDir)
	if err != nil {
		g.s.logger.Debug("the space on the disk is not known", "error", err)
	} else {
		own.DiskFree, own.DiskTotal = free, total
	}
	g.mu.own, g.mu.at = own, time.Now()
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
