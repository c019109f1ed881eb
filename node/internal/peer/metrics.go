package peer

import "github.com/prometheus/client_golang/prometheus"

// Why a replication message was dropped.
const (
	dropFull   = "queue_full"
	dropBroken = "stream_broken"
)

// Metrics counts what the Sender and the Monitor do.
type Metrics struct {
	sent    prometheus.Counter
	dropped *prometheus.CounterVec
	broken  prometheus.Counter
	alive   prometheus.Gauge
	dead    prometheus.Gauge
}

// NewMetrics returns metrics registered with r, which may be nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_peer_replication_messages_total", Help: "Replication messages handed to a stream."}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ostraka_peer_replication_dropped_messages_total", Help: "Replication messages dropped; the protocol sends them again."}, []string{"reason"}),
		broken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ostraka_peer_replication_broken_streams_total", Help: "Replication streams that failed or could not be opened."}),
		alive: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ostraka_peer_alive_peers", Help: "Other peers of the cluster that answer pings."}),
		dead: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ostraka_peer_dead_peers", Help: "Other peers of the cluster that do not answer pings."}),
	}
	if r != nil {
		r.MustRegister(m.sent, m.dropped, m.broken, m.alive, m.dead)
	}
	return m
}
