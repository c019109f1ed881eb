package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// nemesis makes a cluster suffer, by a schedule that its seed decides.
type nemesis struct {
	c      *cluster
	random *rand.Rand
	clock  time.Time
	kinds  []fault  // nil: faults()
	due    []action // in the order of their times
	counts map[string]int
}

// action is one thing to do at a time of the schedule.
type action struct {
	at time.Time
	do func()
}

// fault is one kind of trouble. It returns what ends it, nil for what ends by itself, and its description.
type fault struct {
	name   string
	weight int
	begin  func(n *nemesis) (what string, end func())
}

func faults() []fault {
	return []fault{
		{"kill", 4, func(n *nemesis) (string, func()) { return n.crash(false, n.some(1)...) }},
		{"power", 4, func(n *nemesis) (string, func()) { return n.crash(true, n.some(1)...) }},
		{"kill leader", 2, func(n *nemesis) (string, func()) { return n.crash(n.random.IntN(2) == 0, n.leader()) }},
		{"outage", 2, func(n *nemesis) (string, func()) { return n.crash(n.random.IntN(2) == 0, n.c.machines...) }},
		{"kill several", 2, func(n *nemesis) (string, func()) {
			return n.crash(n.random.IntN(2) == 0, n.some(1+n.random.IntN(len(n.c.machines)))...)
		}},
		{"shut down", 3, func(n *nemesis) (string, func()) { return n.shutDown(n.some(1)[0]) }},
		{"isolate", 3, func(n *nemesis) (string, func()) { return n.isolate(n.some(1)[0], true, true) }},
		{"isolate leader", 2, func(n *nemesis) (string, func()) { return n.isolate(n.leader(), true, true) }},
		{"mute", 2, func(n *nemesis) (string, func()) { return n.isolate(n.some(1)[0], true, false) }},
		{"deafen", 2, func(n *nemesis) (string, func()) { return n.isolate(n.some(1)[0], false, true) }},
		{"mute or deafen leader", 2, func(n *nemesis) (string, func()) {
			mute := n.random.IntN(2) == 0
			return n.isolate(n.leader(), mute, !mute)
		}},
		{"split", 3, (*nemesis).split},
		{"cut one link", 3, func(n *nemesis) (string, func()) { return n.cutPair(n.random.IntN(2) == 0) }},
		{"cut clients", 1, (*nemesis).cutClients},
		{"slow links", 3, (*nemesis).slow},
		{"break connections", 3, (*nemesis).breakConnections},
	}
}

// run lets trouble come for a while, and returns when the last has ended.
func (n *nemesis) run(steps int) {
	n.clock = time.Now()
	n.counts = map[string]int{}
	kinds := n.kinds
	if kinds == nil {
		kinds = faults()
	}
	total := 0
	for _, f := range kinds {
		total += f.weight
	}
	at := n.clock
	for range steps {
		at = at.Add(n.between(50*time.Millisecond, 2500*time.Millisecond))
		pick := n.random.IntN(total)
		i := 0
		for ; pick >= kinds[i].weight; i++ {
			pick -= kinds[i].weight
		}
		f, lasts := kinds[i], n.between(20*time.Millisecond, 5*time.Second)
		n.plan(at, func() { n.begin(f, lasts) })
	}
	for len(n.due) > 0 {
		next := n.due[0]
		n.due = n.due[1:]
		if d := time.Until(next.at); d > 0 {
			_ = pass(context.Background(), d)
		}
		next.do()
	}
}

func (n *nemesis) begin(f fault, lasts time.Duration) {
	what, end := f.begin(n)
	if what == "" {
		return // nothing is left to break
	}
	n.counts[f.name]++
	n.c.timeline.event("%s %s", f.name, what)
	if end != nil {
		n.plan(time.Now().Add(lasts), func() {
			n.c.timeline.event("end of %s %s", f.name, what)
			end()
		})
	}
}

func (n *nemesis) plan(at time.Time, do func()) {
	i, _ := slices.BinarySearchFunc(n.due, at, func(a action, t time.Time) int { return a.at.Compare(t) })
	n.due = slices.Insert(n.due, i, action{at, do})
}

func (n *nemesis) between(low, high time.Duration) time.Duration {
	return low + time.Duration(n.random.Int64N(int64(high-low)))
}

// some picks machines, whether they are up or not.
func (n *nemesis) some(count int) []*machine {
	picked := slices.Clone(n.c.machines)
	n.random.Shuffle(len(picked), func(i, j int) { picked[i], picked[j] = picked[j], picked[i] })
	return picked[:count]
}

// leader returns who believes to be the Raft leader, anybody if nobody does.
func (n *nemesis) leader() *machine {
	for _, m := range n.c.machines {
		if m.server != nil && m.server.LeadsMetadata() {
			return m
		}
	}
	return n.some(1)[0]
}

func names(ms []*machine) string {
	var all []string
	for _, m := range ms {
		all = append(all, m.name)
	}
	return strings.Join(all, " ")
}

func (n *nemesis) crash(power bool, victims ...*machine) (string, func()) {
	victims = slices.DeleteFunc(slices.Clone(victims), func(m *machine) bool { return m.server == nil })
	if len(victims) == 0 {
		return "", nil
	}
	n.c.crash(power, victims...)
	how := "killed"
	if power {
		how = "without power"
	}
	return names(victims) + " " + how, func() { n.restart(victims) }
}

func (n *nemesis) restart(victims []*machine) {
	for _, m := range victims {
		if err := m.start(); err != nil {
			n.c.violate("%v", err)
		}
	}
}

func (n *nemesis) shutDown(m *machine) (string, func()) {
	if m.server == nil {
		return "", nil
	}
	m.shutDown()
	return m.name, func() { n.restart([]*machine{m}) }
}

// isolate cuts a machine's links to all other machines, in the directions named.
func (n *nemesis) isolate(m *machine, from, to bool) (string, func()) {
	var links []link
	for _, other := range n.c.machines {
		if other == m {
			continue
		}
		if from {
			links = append(links, link{m.name, other.name})
		}
		if to {
			links = append(links, link{other.name, m.name})
		}
	}
	return m.name, n.c.network.cut(links...)
}

func (n *nemesis) split() (string, func()) {
	ms := n.some(len(n.c.machines))
	if len(ms) < 2 {
		return "", nil
	}
	at := 1 + n.random.IntN(len(ms)-1)
	var links []link
	for _, a := range ms[:at] {
		for _, b := range ms[at:] {
			links = append(links, link{a.name, b.name}, link{b.name, a.name})
		}
	}
	return names(ms[:at]) + " | " + names(ms[at:]), n.c.network.cut(links...)
}

func (n *nemesis) cutPair(both bool) (string, func()) {
	if len(n.c.machines) < 2 {
		return "", nil
	}
	ms := n.some(2)
	links := []link{{ms[0].name, ms[1].name}}
	if both {
		links = append(links, link{ms[1].name, ms[0].name})
	}
	return fmt.Sprint(links), n.c.network.cut(links...)
}

// cutClients keeps answers from one client, or its requests from a node.
func (n *nemesis) cutClients() (string, func()) {
	client, m := fmt.Sprintf("c%d", 1+n.random.IntN(clients)), n.some(1)[0].name
	l := link{client, m}
	if n.random.IntN(2) == 0 {
		l = link{m, client}
	}
	return fmt.Sprint(l), n.c.network.cut(l)
}

func (n *nemesis) slow() (string, func()) {
	m, extra := n.some(1)[0], n.between(5*time.Millisecond, 400*time.Millisecond)
	var links []link
	for _, other := range n.c.machines {
		if n.random.IntN(2) == 0 {
			links = append(links, link{m.name, other.name})
		}
		if n.random.IntN(2) == 0 {
			links = append(links, link{other.name, m.name})
		}
	}
	return fmt.Sprint(links, " by ", extra.Round(time.Millisecond)), n.c.network.slow(extra, links...)
}

func (n *nemesis) breakConnections() (string, func()) {
	share := 0.2 + n.random.Float64()*0.8
	n.c.network.drop(share)
	return fmt.Sprintf("%.0f%%", share*100), nil
}
