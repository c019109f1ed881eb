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
	forget  prometheus.Counter
	running *prometheus.GaugeVec
	moved   *prometheus.CounterVec
	ended   *prometheus.CounterVec
}

// The values of the labels of transfers.
const (
	directionIn  = "in"
	directionOut = "out"
	resultDone   = "done"
	resultFailed = "failed"
)

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
		forget: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_replica_log_entries_forgotten_total", Help: "Log entries that were compacted away.",
		}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ostraka_replica_transfers_running", Help: "Snapshots on their way now, by direction.",
		}, []string{"direction"}),
		moved: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_replica_transfer_bytes_total", Help: "Bytes of snapshots, by direction.",
		}, []string{"direction"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_replica_transfer_attempts_total", Help: "Attempts to send or receive a snapshot that have ended, by direction and result.",
		}, []string{"direction", "result"}),
	}
	if reg != nil {
		reg.MustRegister(m.persist, m.refuse, m.change, m.forget, m.running, m.moved, m.ended)
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
	case c.Rebuild != nil:
		kind = "rebuild"
	}
	m.change.WithLabelValues(kind).Inc()
}

func (m *Metrics) forgot(entries int) { m.forget.Add(float64(entries)) }

func (m *Metrics) transferring(direction string, by float64) {
	m.running.WithLabelValues(direction).Add(by)
}

func (m *Metrics) transferred(direction string, bytes int) {
	m.moved.WithLabelValues(direction).Add(float64(bytes))
}

func (m *Metrics) attempted(direction string, err error) {
	result := resultDone
	if err != nil {
		result = resultFailed
	}
	m.ended.WithLabelValues(direction, result).Inc()
}
