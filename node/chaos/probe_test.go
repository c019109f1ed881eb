//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// probe measures failover: it writes and reads collections of one shard each, all the time, through whichever node can
// be reached.
type probe struct {
	*load
	mu struct {
		sync.Mutex
		writes, reads map[string][]interval // the successes, by shard
	}
}

// interval is when an operation began and ended.
type interval struct{ from, to time.Time }

const probedShards = 6

func newProbe(l *load) *probe {
	p := &probe{load: l}
	p.mu.writes, p.mu.reads = map[string][]interval{}, map[string][]interval{}
	return p
}

func probeName(i int) string { return fmt.Sprintf("probe-%d", i+1) }

// read and write probe one shard; a failed attempt is followed by another one soon.
func (p *probe) read(ctx context.Context, shard int) {
	name := probeName(shard)
	every(ctx, 100*time.Millisecond, func() {
		p.once(ctx, "probe read", p.mu.reads, name, func(ctx context.Context, n *node) error {
			_, err := get(ctx, n, name, 1)
			return err
		})
	})
}

func (p *probe) write(ctx context.Context, shard int) {
	name, id := probeName(shard), uint64(0)
	every(ctx, 100*time.Millisecond, func() {
		id++
		p.once(ctx, "probe write", p.mu.writes, name, func(ctx context.Context, n *node) error {
			return upsert(ctx, n, name, id%16+1, map[string]any{"v": int64(id)})
		})
	})
}

func (p *probe) once(ctx context.Context, op string, successes map[string][]interval, name string, f func(context.Context, *node) error) {
	n := p.pick(op)
	if n == nil {
		return
	}
	began := time.Now()
	if o, _ := p.call(ctx, op, func(ctx context.Context) error { return f(ctx, n) }); o == done {
		p.mu.Lock()
		successes[name] = append(successes[name], interval{began, time.Now()})
		p.mu.Unlock()
	}
}

// failovers returns how long after each kill it took until an operation that began after it succeeded, per shard.
func failovers(kills []time.Time, successes map[string][]interval) []time.Duration {
	var took []time.Duration
	for _, all := range successes {
		for _, kill := range kills {
			for _, s := range all {
				if s.from.After(kill) {
					took = append(took, s.to.Sub(kill))
					break
				}
			}
		}
	}
	return took
}

// longest is the longest time between two successes on one shard.
func longest(successes map[string][]interval) (gap time.Duration, shard string, from time.Time) {
	for name, all := range successes {
		for i := 1; i < len(all); i++ {
			if g := all[i].to.Sub(all[i-1].to); g > gap {
				gap, shard, from = g, name, all[i-1].to
			}
		}
	}
	return gap, shard, from
}

// table tells the times of failover.
func (p *probe) table(kills []time.Time, began time.Time) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf("failover after %d kills of one node of a cluster that was whole, over %d shards:\n", len(kills), probedShards)
	for _, of := range []struct {
		name      string
		successes map[string][]interval
	}{{"writes", p.mu.writes}, {"reads", p.mu.reads}} {
		took := failovers(kills, of.successes)
		text += fmt.Sprintf("  first success of %s: p50 %s, p99 %s, max %s (%d measured)\n", of.name,
			quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1), len(took))
		gap, shard, at := longest(of.successes)
		text += fmt.Sprintf("  longest time without %s, whatever the fault: %s (%s, from %.1fs on)\n", of.name, gap.Round(time.Millisecond), shard, at.Sub(began).Seconds())
	}
	return text
}
