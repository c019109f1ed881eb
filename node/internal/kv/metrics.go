package kv

import "github.com/prometheus/client_golang/prometheus"

// metrics count what the disk does.
type metrics struct {
	synced prometheus.Histogram
}

// newMetrics registers the metrics; a nil Registerer keeps them to themselves.
func newMetrics(reg prometheus.Registerer, failed func() bool) metrics {
	m := metrics{synced: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "ostraka_store_sync_seconds", Help: "Time that an fsync took.", Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16),
	})}
	if reg != nil {
		reg.MustRegister(m.synced, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "ostraka_store_failed", Help: "1 once a write or fsync has failed: the node ends, and has to be started again.",
		}, func() float64 {
			if failed() {
				return 1
			}
			return 0
		}))
	}
	return m
}
