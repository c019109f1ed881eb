package reconcile

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

type metrics struct {
	steps   *prometheus.CounterVec // by kind and outcome
	unsafe  prometheus.Counter
	pending prometheus.Gauge
	leading prometheus.Gauge
	moving  prometheus.Gauge
	running prometheus.Gauge
	plan    prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		steps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_reconcile_steps_total", Help: "Steps towards the declared state, by kind and outcome (done, failed).",
		}, []string{"kind", "outcome"}),
		unsafe: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_reconcile_unsafe_promotions_total",
			Help: "Promotions with fewer answers than needed to keep every acknowledged write (write consistency 1 only).",
		}),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ostraka_reconcile_pending_steps", Help: "Steps planned in the last round; 0 on nodes that do not lead.",
		}),
		leading: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ostraka_reconcile_leading", Help: "1 while this node is the one that reconciles.",
		}),
	}
	m.moving = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ostraka_reconcile_moving_replicas", Help: "Copies that are on their way to another peer; 0 on nodes that do not lead.",
	})
	m.running = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ostraka_reconcile_operations_running", Help: "Operations that run; 0 on nodes that do not lead.",
	})
	m.plan = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "ostraka_reconcile_plan_seconds", Help: "Time to work out what to do next, once per round.",
		Buckets: prometheus.ExponentialBuckets(1e-5, 4, 10),
	})
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.steps, m.unsafe, m.pending, m.leading, m.moving, m.running, m.plan} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// planned notes what a round found.
func (m *metrics) planned(s *catalog.State, steps int, took time.Duration) {
	moving, running := 0, 0
	for _, sh := range s.Shards() {
		for _, r := range sh.Replicas {
			if r.Replaces != 0 {
				moving++
			}
		}
	}
	for _, o := range s.Operations {
		if o.State == catalog.Running {
			running++
		}
	}
	m.pending.Set(float64(steps))
	m.moving.Set(float64(moving))
	m.running.Set(float64(running))
	m.plan.Observe(took.Seconds())
}

// retired notes that this node leads no more.
func (m *metrics) retired() {
	for _, g := range []prometheus.Gauge{m.leading, m.pending, m.moving, m.running} {
		g.Set(0)
	}
}
