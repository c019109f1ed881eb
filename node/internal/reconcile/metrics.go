package reconcile

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	steps   *prometheus.CounterVec // by kind and outcome
	unsafe  prometheus.Counter
	pending prometheus.Gauge
	leading prometheus.Gauge
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
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.steps, m.unsafe, m.pending, m.leading} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
