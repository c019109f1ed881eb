package overload

import (
	"runtime/metrics"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sampleEvery is how old a measurement of the memory may be.
const sampleEvery = 50 * time.Millisecond

// Memory measures what this process takes of the machine's memory: what is its own, not what it has mapped of files, which the
// system takes back when it needs to. Its methods are safe for concurrent use.
type Memory struct {
	limit   int64
	measure func() int64
	mu      struct {
		sync.Mutex
		used int64
		at   time.Time
	}
}

// NewMemory returns a Memory that may take limit bytes; 0: 85 % of what the machine, or the container, has.
func NewMemory(limit int64, reg prometheus.Registerer) (*Memory, error) {
	return newMemory(limit, ownBytes, reg)
}

func newMemory(limit int64, measure func() int64, reg prometheus.Registerer) (*Memory, error) {
	m := &Memory{limit: MemoryLimit(limit), measure: measure}
	if reg == nil {
		return m, nil
	}
	for name, g := range map[string]struct {
		help string
		f    func() float64
	}{
		"memory_bytes":       {"Memory that this process takes, files that it has mapped left out.", func() float64 { return float64(m.Used()) }},
		"memory_limit_bytes": {"Memory that it may take; above it, what adds data is refused.", func() float64 { return float64(m.limit) }},
	} {
		if err := reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ostraka_overload_" + name, Help: g.help}, g.f)); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// MemoryLimit returns a limit that was given, or, for 0, 85 % of what the machine, or the container, has; 0 where that cannot be
// found out.
func MemoryLimit(given int64) int64 {
	if given > 0 {
		return given
	}
	return availableBytes() / 100 * 85
}

// Used returns what it takes, as of a moment ago.
func (m *Memory) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.mu.at) >= sampleEvery {
		m.mu.used, m.mu.at = m.measure(), now
	}
	return m.mu.used
}

// Over reports whether it takes more than it may; without a limit that could be found out, never.
func (m *Memory) Over() (used, limit int64, over bool) {
	if m.limit <= 0 {
		return 0, 0, false
	}
	used = m.Used()
	return used, m.limit, used > m.limit
}

// goBytes is what Go's runtime has taken and not given back: all there is where the system cannot be asked.
func goBytes() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
