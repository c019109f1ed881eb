package cluster

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
)

// watchMetrics is what a Watcher measures. What concerns the whole cluster every node counts as it sees it.
type watchMetrics struct {
	elections   prometheus.Counter
	term        prometheus.Gauge
	hasLeader   prometheus.Gauge
	promotions  *prometheus.CounterVec
	demotions   prometheus.Counter
	activations prometheus.Counter
	transfers   prometheus.Counter
	underReplicated,
	lagEntries, lagSeconds, differing prometheus.Gauge
	events *prometheus.CounterVec
}

func newWatchMetrics(reg prometheus.Registerer) (*watchMetrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &watchMetrics{
		elections: counter("ostraka_raft_elections_total", "Times that the metadata got a leader, as this node saw it."),
		term:      gauge("ostraka_raft_term", "Raft's term."),
		hasLeader: gauge("ostraka_raft_leader_known", "1 while this node knows a leader of the metadata."),
		promotions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_cluster_promotions_total", Help: "Primaries of shards that were named, as every node sees it; safe=no may have lost acknowledged writes.",
		}, []string{"safe"}),
		demotions:       counter("ostraka_cluster_demotions_total", "Replicas that count no more, as every node sees it."),
		activations:     counter("ostraka_cluster_activations_total", "Replicas that have come to count, as every node sees it."),
		transfers:       counter("ostraka_cluster_transfers_total", "Replicas that were begun to be brought up to date, as every node sees it."),
		underReplicated: gauge("ostraka_cluster_under_replicated_shards", "Shards with fewer working copies than declared; 0 on nodes that do not lead the metadata."),
		lagEntries:      gauge("ostraka_replica_lag_entries", "Entries that the replica furthest behind lacks, of the shards led from here; dead ones apart."),
		lagSeconds:      gauge("ostraka_replica_lag_seconds", "How long the replica furthest behind has been behind, of the shards led from here."),
		differing:       gauge("ostraka_replica_differing_replicas", "Replicas here that a comparison found to differ; they are not read."),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_cluster_events_total", Help: "Events of this node's log that its watcher wrote, by kind.",
		}, []string{"kind"}),
	}
	m.promotions.WithLabelValues("yes")
	m.promotions.WithLabelValues("no")
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.elections, m.term, m.hasLeader, m.promotions, m.demotions, m.activations, m.transfers, m.underReplicated,
		m.lagEntries, m.lagSeconds, m.differing, m.events,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *watchMetrics) count(kind event.Kind) {
	m.events.WithLabelValues(string(kind)).Inc()
	switch kind {
	case event.Promotion:
		m.promotions.WithLabelValues("yes").Inc()
	case event.UnsafePromotion, event.ShardLost:
		m.promotions.WithLabelValues("no").Inc()
	case event.Demotion:
		m.demotions.Inc()
	case event.Activation:
		m.activations.Inc()
	case event.Transfer, event.ReplicaAdded, event.ReplicaRebuilt:
		m.transfers.Inc()
	default: // counted by kind alone
	}
}

func (m *watchMetrics) elected(lead consensus.Leadership) {
	if lead.Leader != 0 {
		m.elections.Inc()
	}
}

func (m *watchMetrics) standing(lead consensus.Leadership, short map[catalog.CollectionID][]catalog.ShardID) {
	m.term.Set(float64(lead.Term))
	m.hasLeader.Set(0)
	if lead.Leader != 0 {
		m.hasLeader.Set(1)
	}
	n := 0
	if lead.Here {
		for _, shards := range short {
			n += len(shards)
		}
	}
	m.underReplicated.Set(float64(n))
}
