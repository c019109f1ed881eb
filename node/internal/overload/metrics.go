package overload

import "github.com/prometheus/client_golang/prometheus"

// reason is why a request was refused.
type reason string

const (
	tooMany  reason = "queue"  // too many are worked on, and wait
	tooLarge reason = "bytes"  // they take too much memory
	noMemory reason = "memory" // the process does
	tooLate  reason = "late"   // its deadline had passed
)

// Metrics are what Gates count, by door.
type Metrics struct {
	refused                 *prometheus.CounterVec
	working, waiting, bytes *prometheus.GaugeVec
}

// NewMetrics makes the metrics and registers them; nil: they are counted for nobody.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ostraka_overload_" + name, Help: help}, []string{"door"})
	}
	m := &Metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_overload_refused_requests_total", Help: "Requests refused before any work was done, by door and reason (queue, bytes, memory, late).",
		}, []string{"door", "reason"}),
		working: gauge("working_requests", "Requests that were let in and are not answered yet, by door."),
		waiting: gauge("waiting_requests", "Requests that wait for their turn, by door."),
		bytes:   gauge("request_bytes", "Bytes of the requests that have arrived and are worked on, by door."),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.refused, m.working, m.waiting, m.bytes} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
