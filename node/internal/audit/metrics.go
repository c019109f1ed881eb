package audit

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	compared  prometheus.Counter
	different prometheus.Counter
	checks    *prometheus.CounterVec
	repairs   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		compared: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_audit_compared_digests_total", Help: "Digests of replicas that this node compared with others of the same shard.",
		}),
		different: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_audit_different_digests_total", Help: "Digests among them that were in the minority. Anything but 0 needs a person: a disk may be failing.",
		}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_audit_checks_total", Help: "Comparisons of a shard's replicas, by outcome (equal, different, not_compared).",
		}, []string{"outcome"}),
		repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_audit_repairs_total", Help: "Replicas in the minority, by outcome: made anew, or given up.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{equal, different, notCompared} {
		m.checks.WithLabelValues(outcome)
	}
	for _, outcome := range []string{rebuilt, givenUp} {
		m.repairs.WithLabelValues(outcome)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.compared, m.different, m.checks, m.repairs} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Outcomes, as metrics name them.
const (
	equal       = "equal"
	different   = "different"
	notCompared = "not_compared"
	rebuilt     = "rebuilt"
	givenUp     = "given_up"
)
