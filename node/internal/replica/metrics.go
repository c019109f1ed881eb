package replica

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Metrics count what all replicas of a node do.
type Metrics struct {
	persist *prometheus.HistogramVec
	refuse  *prometheus.CounterVec
	change  *prometheus.CounterVec
}

// NewMetrics registers the metrics; a nil Registerer keeps them to themselves.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		persist: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ostraka_replica_log_append_seconds", Help: "Time until a log append is durable, the wait for the shared fsync included.",
			Buckets: prometheus.ExponentialBuckets(100e-6, 2, 14),
		}, nil),
		refuse: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_replica_writes_refused_total", Help: "Writes refused before they entered the log, by class of the reason.",
		}, []string{"class"}),
		change: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_replica_membership_changes_total", Help: "Membership changes that primaries on this node made, by kind.",
		}, []string{"kind"}),
	}
	if reg != nil {
		reg.MustRegister(m.persist, m.refuse, m.change)
	}
	return m
}

func (m *Metrics) persisted(d time.Duration) { m.persist.WithLabelValues().Observe(d.Seconds()) }

func (m *Metrics) refused(err error) { m.refuse.WithLabelValues(fault.ClassOf(err).String()).Inc() }

func (m *Metrics) changed(c *catalog.ChangeShard) {
	kind := "write_quorum"
	switch {
	case c.Demote != nil:
		kind = "demote"
	case c.Receive != nil:
		kind = "receive"
	case c.Activate != nil:
		kind = "activate"
	}
	m.change.WithLabelValues(kind).Inc()
}
