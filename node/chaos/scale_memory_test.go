//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// promisedMemory is how much of a node may be resident, with so many collections that something is promised.
const promisedMemory = 2 << 30

// rest notes what the nodes use while nobody asks anything of them.
func (s *scale) rest(ctx context.Context, what string) {
	s.t.Helper()
	calm, watched := 5*time.Second, 10*time.Second
	if *scaleCollections < promisedCollections {
		calm, watched = 0, time.Second
	}
	rest(ctx, calm)
	before := make([]time.Duration, len(s.nodes))
	for i, n := range s.nodes {
		before[i] = n.computed(s)
	}
	rest(ctx, watched)
	var cpu, memory []string
	for i, n := range s.nodes {
		cpu = append(cpu, fmt.Sprintf("%.0f %%", 100*float64(n.computed(s)-before[i])/float64(watched)))
		memory = append(memory, fmt.Sprintf("%d", n.memory(s, "VmRSS:")>>20))
	}
	s.note(what+": MiB resident, each node", strings.Join(memory, ", "), "of one processor "+strings.Join(cpu, ", "), "")
}

// peak notes the most that was ever resident of a node, since its last start.
func (s *scale) peak() {
	s.t.Helper()
	var most uint64
	for _, n := range s.nodes {
		most = max(most, n.memory(s, "VmHWM:"))
	}
	verdict := ""
	if *scaleCollections >= promisedCollections {
		if verdict = "ok: at most 2048"; most > promisedMemory {
			verdict = "TOO MUCH: at most 2048"
			s.t.Errorf("%d bytes were resident of a node, want at most %d", most, promisedMemory)
		}
	}
	s.note("most MiB resident of a node, ever", fmt.Sprint(most>>20), "", verdict)
}

// memory reads a figure of the node's process, in bytes.
func (n *node) memory(s *scale, what string) uint64 {
	s.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.process.cmd.Process.Pid))
	must(s.t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, what); ok {
			var kib uint64
			_, err := fmt.Sscan(rest, &kib)
			must(s.t, err)
			return kib << 10
		}
	}
	s.t.Fatalf("%s is not told of %s", what, n.name)
	return 0
}

// clockTick is the unit of processor time in /proc, the same on all systems that Go runs on.
const clockTick = 10 * time.Millisecond

// computed is how much processor time the nodes that run have used. A node that ends or comes meanwhile makes it meaningless.
func (s *scale) computed() time.Duration {
	var all time.Duration
	for _, n := range s.nodes {
		select {
		case <-n.process.done:
		default:
			all += n.computed(s)
		}
	}
	return all
}

// computed is how much processor time the node's process has used.
func (n *node) computed(s *scale) time.Duration {
	s.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.process.cmd.Process.Pid))
	must(s.t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var user, system int64
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	must(s.t, err)
	return time.Duration(user+system) * clockTick
}
