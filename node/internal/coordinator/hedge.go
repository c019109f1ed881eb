package coordinator

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// When a replica is slow, the next one is asked as well. read_fan_out_delay_ms says after how long; without it, the delay follows
// what such reads of the collection usually take: mean plus four mean deviations, smoothed as Jacobson does for TCP's retransmission
// (Congestion Avoidance and Control, 1988, appendix A). So a collection whose searches take long is not asked twice as a matter of course.
const (
	hedgeUnknown = 100 * time.Millisecond // before anything was measured
	hedgeMin     = 50 * time.Millisecond
	hedgeMax     = 500 * time.Millisecond
	// hedgeLast bounds every delay, also one of 0, which turns hedging off: a stopped replica holds no read for longer.
	hedgeLast = time.Second
	// maxHedges bounds the second questions under way: when everything is slow, they would only make it slower.
	maxHedges = 64
	// maxPaces bounds the measured collections.
	maxPaces = 4096
)

// readKind tells apart reads that take differently long.
type readKind uint8

const (
	kindSearch readKind = iota
	kindScroll
	kindGet
	kindCount
	kindFacet
)

type paceKey struct {
	collection catalog.CollectionID
	kind       readKind
}

// pace measures how long reads take, and counts the second questions.
type pace struct {
	hedges atomic.Int64
	mu     struct {
		sync.Mutex
		of map[paceKey]estimate
	}
}

// estimate is a smoothed time and its mean deviation, in seconds.
type estimate struct{ mean, deviation float64 }

func newPace() *pace {
	p := new(pace)
	p.mu.of = map[paceKey]estimate{}
	return p
}

// observe takes the time of an answer.
func (p *pace) observe(key paceKey, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := took.Seconds()
	e, ok := p.mu.of[key]
	if !ok {
		if len(p.mu.of) >= maxPaces {
			clear(p.mu.of)
		}
		e = estimate{mean: s, deviation: s / 2}
	}
	miss := s - e.mean
	e.mean += miss / 8
	e.deviation += (math.Abs(miss) - e.deviation) / 4
	p.mu.of[key] = e
}

// delay is how long the first replica has before the next is asked.
func (p *pace) delay(key paceKey, declared *time.Duration) time.Duration {
	switch {
	case declared != nil && *declared > 0:
		return min(*declared, hedgeLast)
	case declared != nil:
		return hedgeLast
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.mu.of[key]
	if !ok {
		return hedgeUnknown
	}
	return min(max(time.Duration((e.mean+4*e.deviation)*float64(time.Second)), hedgeMin), hedgeMax)
}

// mean is how long a replica usually takes; long, before anything was measured.
func (p *pace) mean(key paceKey) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.mu.of[key]
	if !ok {
		return hedgeUnknown
	}
	return time.Duration(e.mean * float64(time.Second))
}

// begin takes a place for a second question, if there is one; end gives it back.
func (p *pace) begin() bool {
	if p.hedges.Add(1) > maxHedges {
		p.hedges.Add(-1)
		return false
	}
	return true
}

func (p *pace) end() { p.hedges.Add(-1) }
