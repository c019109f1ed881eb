package replication_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// stats tells how deep a walk went.
type stats struct {
	steps, commits, terms, crashes, views, snapshots, reads int
	unsafe, lost                                            int // promotions, and writes that they lost

	seen, led, wrote int // moments looked at; when the newest view's primary led; when it could write as well
}

// observe looks whether the shard works.
func (w *world) observe() {
	w.stats.seen++
	if p := w.primary(); p != nil {
		w.stats.led++
		if replication.Writable(p.core) {
			w.stats.wrote++
		}
	}
}

// close sums up the walk.
func (w *world) close() {
	s := &w.stats
	s.steps, s.commits, s.views = w.plan.steps, len(w.committed), len(w.meta.history)-1
	s.unsafe, s.lost = len(w.unsafe), len(w.lost)
}

// summary tells mean and percentiles over many walks.
func summary(all []stats) string {
	var b strings.Builder
	for _, row := range []struct {
		name string
		of   func(stats) int
	}{
		{"steps", func(s stats) int { return s.steps }},
		{"commits", func(s stats) int { return s.commits }},
		{"terms led", func(s stats) int { return s.terms }},
		{"crashes", func(s stats) int { return s.crashes }},
		{"view changes", func(s stats) int { return s.views }},
		{"snapshots", func(s stats) int { return s.snapshots }},
		{"reads", func(s stats) int { return s.reads }},
		{"unsafe", func(s stats) int { return s.unsafe }},
		{"lost so", func(s stats) int { return s.lost }},
		{"% led", func(s stats) int { return 100 * s.led / max(1, s.seen) }},
		{"% writable", func(s stats) int { return 100 * s.wrote / max(1, s.seen) }},
	} {
		values, sum := make([]int, 0, len(all)), 0
		for _, s := range all {
			values = append(values, row.of(s))
			sum += row.of(s)
		}
		slices.Sort(values)
		at := func(percent int) int { return values[(len(values)-1)*percent/100] }
		fmt.Fprintf(&b, "\n%-13s mean %7.1f   p10 %5d   p50 %5d   p90 %5d   p99 %5d   max %5d", row.name, float64(sum)/float64(len(values)),
			at(10), at(50), at(90), at(99), at(100))
	}
	return b.String()
}
