//go:build !race

package replication_test

import (
	"strings"
	"testing"
	"time"
)

// TestRemovalOfEachRuleIsCaught proves that the simulation is able to see, and that no rule, and no part of one, is idle: without
// any one of them a committed write is lost, or a read misses one, within a few walks. It runs no goroutines but those of the
// search, so that the race detector, under which it would take long, has nothing to look for here.
func TestRemovalOfEachRuleIsCaught(t *testing.T) {
	for _, m := range mutations() {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			start := time.Now()
			r := search(m.within, m)
			if r.failure == nil {
				t.Fatalf("%d walks without %s, and nothing was lost", r.walks, m.name)
			}
			if m.reads && !strings.Contains(r.failure.text, "answers a read") {
				t.Fatalf("seed %d: %s", r.seed, r.failure.text)
			}
			t.Logf("after %d walks, %v: seed %d: %s", r.walks, time.Since(start).Round(time.Millisecond), r.seed, r.failure.text)
		})
	}
}
