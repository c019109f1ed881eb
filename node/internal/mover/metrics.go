package mover

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what moves to shards that this node leads.
type Metrics struct {
	bytes  prometheus.Counter
	points prometheus.Counter
	flips  prometheus.Counter
	pause  prometheus.Histogram
	failed *prometheus.CounterVec
}

// NewMetrics registers the metrics; a nil Registerer keeps them to themselves.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_mover_bytes_total", Help: "Bytes of points that came to shards that this node leads, by moves of slots.",
		}),
		points: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_mover_points_total", Help: "Points that came so; one that changed meanwhile is counted again.",
		}),
		flips: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_mover_flips_total", Help: "Times that slots changed their owner, to a shard that this node leads.",
		}),
		pause: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ostraka_mover_pause_seconds", Help: "Time for which writes of the slots had to wait when they changed their owner.",
			Buckets: prometheus.ExponentialBuckets(2e-3, 2, 10),
		}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_mover_failures_total", Help: "Steps of moves that failed and were made again, by step.",
		}, []string{"step"}),
	}
	if reg != nil {
		reg.MustRegister(m.bytes, m.points, m.flips, m.pause, m.failed)
	}
	return m
}

func (m *Metrics) arrived(points, bytes int) {
	m.points.Add(float64(points))
	m.bytes.Add(float64(bytes))
}

func (m *Metrics) flipped(pause time.Duration) {
	m.flips.Inc()
	m.pause.Observe(pause.Seconds())
}
