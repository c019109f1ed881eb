//go:build chaos

package chaos_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// timeline is what happened to the cluster, and when.
type timeline struct {
	began time.Time
	t     *testing.T
	mu    struct {
		sync.Mutex
		lines  []string
		counts map[kind]int
		kills  []killed
	}
}

// killed is one kill -9, from which failover is measured.
type killed struct {
	at    time.Time
	clean bool // the cluster was whole, and nothing else was wrong
}

func newTimeline(t *testing.T) *timeline {
	l := &timeline{began: time.Now(), t: t}
	l.mu.counts = map[kind]int{}
	return l
}

// say notes one line, and shows it at once.
func (l *timeline) say(format string, args ...any) {
	line := fmt.Sprintf("%8.2fs  %s", time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
	l.t.Log(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.lines = append(l.mu.lines, line)
}

func (l *timeline) count(k kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.counts[k]++
}

func (l *timeline) killed(clean bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.kills = append(l.mu.kills, killed{time.Now(), clean})
}

func (l *timeline) cleanKills() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var at []time.Time
	for _, k := range l.mu.kills {
		if k.clean {
			at = append(at, k.at)
		}
	}
	return at
}

// text is the whole timeline.
func (l *timeline) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.mu.lines, "\n") + "\n"
}

// faults lists how many there were of each kind.
func (l *timeline) faults() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(l.mu.counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, l.mu.counts[k]))
	}
	return strings.Join(parts, ", ")
}
