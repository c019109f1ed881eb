package replication_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// TestScripts runs the stories in testdata. A script has a few peers, one network in order, and the metadata; verbs:
//
//	cluster n=3 w=2 [batch=BYTES inflight=ENTRIES]   a shard with replicas 1..n, primary 1, everybody has learned it
//	propose P a b c       propose values on peer P
//	work P...             take and persist Readys on these peers until there is none (no argument: on all)
//	take P / persist P    half of it
//	deliver [from=P] [to=P]   deliver what is on the network now, once; drop loses it instead
//	settle                work and deliver until nothing moves
//	apply P...            apply what is committed
//	tick P [n=1]          pass time
//	decide                apply the proposed changes to the metadata; learn P... tells peers (no argument: all)
//	fence term=T P...     fence these peers; promote P term=T    the Raft leader's promotion
//	crash P / restart P / retire P / add P / quorum P w=N / unreachable P to=Q
//	read P                begin a linearizable read; reads P: where P's reads stand
//	status P... / log P   what they show
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/script", func(t *testing.T, path string) {
		s := &script{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.out.Reset()
			s.run(t, d)
			if s.out.Len() == 0 {
				return "ok\n"
			}
			return s.out.String()
		})
	})
}

type script struct {
	*world
	out strings.Builder
}

func (s *script) print(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *script) run(t *testing.T, d *datadriven.TestData) {
	switch d.Cmd {
	case "cluster":
		s.cluster(d)
	case "propose", "take", "persist", "tick", "crash", "restart", "quorum", "unreachable", "log", "retire", "add", "promote", "read", "reads":
		s.one(t, d, s.peers(d)[0])
	case "work", "apply", "learn", "status":
		for _, n := range s.peers(d) {
			s.each(d.Cmd, n)
		}
	case "deliver", "drop":
		s.carry(d)
	case "settle":
		s.settle()
	case "decide":
		s.decideAll()
	case "fence":
		s.fencePeers(d)
	default:
		t.Fatalf("%s: unknown verb %q", d.Pos, d.Cmd)
	}
	if s.failure != nil {
		t.Fatalf("%s: %s", d.Pos, s.failure.text)
	}
}

func number(d *datadriven.TestData, key string, otherwise int) int {
	for _, a := range d.CmdArgs {
		if a.Key == key && len(a.Vals) == 1 {
			n, err := strconv.Atoi(a.Vals[0])
			if err == nil {
				return n
			}
		}
	}
	return otherwise
}

// peers returns the nodes that d names by bare numbers; all when there is none.
func (s *script) peers(d *datadriven.TestData) []*node {
	var named []*node
	for _, a := range d.CmdArgs {
		if id, err := strconv.Atoi(a.Key); err == nil && len(a.Vals) == 0 {
			named = append(named, s.nodes[id-1])
		}
	}
	if named == nil {
		return s.nodes
	}
	return named
}

func (s *script) cluster(d *datadriven.TestData) {
	s.world = newWorld(1, mutation{})
	s.mood = mood{}
	s.plan = plan{options: replication.Options{
		MaxBatchBytes: number(d, "batch", 0), MaxInflightEntries: number(d, "inflight", 0), MaxPendingEntries: number(d, "pending", 0),
		ResendTicks: 2, DemoteTicks: 4, ProbeTicks: 3, PromotionTicks: 3,
	}}
	n, w := number(d, "n", 3), number(d, "w", 2)
	s.meta, s.quorum, s.nodes = newMetadata(n, w), w, nil
	s.ledger = newLedger()
	s.trace = func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); strings.HasPrefix(text, "deliver") {
			s.print("%s", text)
		}
	}
	for i := range n + number(d, "spares", 0) {
		s.nodes = append(s.nodes, &node{id: peerID(i + 1)})
	}
	for _, n := range s.nodes {
		n.learn(s.world, s.meta.view())
	}
}

func (s *script) one(t *testing.T, d *datadriven.TestData, n *node) {
	change := replication.Change{Version: s.meta.view().Version}
	switch d.Cmd {
	case "propose":
		s.proposeWords(n, len(d.CmdArgs)-1)
	case "take":
		n.take(s.world)
	case "persist":
		n.persist(s.world)
	case "tick":
		for range number(d, "n", 1) {
			n.core.Tick()
		}
	case "crash":
		n.crash(s.world)
	case "restart":
		s.restart(n)
		n.learn(s.world, s.meta.view())
	case "quorum":
		n.core.WantQuorum(number(d, "w", 0))
	case "unreachable":
		n.core.Unreachable(peerID(number(d, "to", 0)))
	case "read":
		s.read(n)
	case "reads":
		s.printReads(n)
	case "log":
		s.printLog(n)
	case "retire":
		s.ask(proposal{change: change, retire: n.id})
	case "add":
		s.ask(proposal{change: change, add: n.id})
	case "promote":
		s.ask(proposal{change: change, promote: replication.FenceAnswer{Peer: n.id, Promised: termNo(number(d, "term", 0))}})
	default:
		t.Fatalf("unknown verb %q", d.Cmd)
	}
}

func (s *script) proposeWords(n *node, count int) {
	s.propose(n, count)
	if err := n.refused; err != nil {
		s.print("%v: %v primary=%s term=%s", fault.ClassOf(err), err, fault.Hint(err, "primary"), fault.Hint(err, "term"))
	}
}

func (s *script) each(verb string, n *node) {
	switch {
	case verb == "status":
		s.print("%s", n)
	case n.core == nil && verb != "learn":
	case verb == "work":
		s.workOn(n)
	case verb == "apply":
		n.apply(s.world, 1000)
	case verb == "learn" && !n.down:
		n.learn(s.world, s.meta.view())
	}
}

// workOn makes n's effects without applying anything, and prints its wishes.
func (s *script) workOn(n *node) {
	if n.taken {
		n.persist(s.world)
	}
	for n.core.HasReady() {
		had := n.change
		n.take(s.world)
		if n.ready.TruncateFrom != 0 {
			s.print("peer %d cuts its log from %d on", n.id, n.ready.TruncateFrom)
		}
		if n.change != nil && n.change != had {
			s.print("peer %d wants to %s", n.id, n.change)
		}
		if n.ready.WantPromotion != 0 {
			s.print("peer %d wants a promotion out of term %d", n.id, n.ready.WantPromotion)
		}
		for _, p := range n.ready.NeedSnapshot {
			s.print("peer %d cannot bring %d up to date from its log", n.id, p)
		}
		n.persist(s.world)
	}
}

// carry delivers, or drops, what is on the network at this moment, filtered by from and to.
func (s *script) carry(d *datadriven.TestData) {
	from, to := peerID(number(d, "from", 0)), peerID(number(d, "to", 0))
	waiting := s.net
	s.net = nil
	for _, e := range waiting {
		switch {
		case from != 0 && e.From != from || to != 0 && e.To != to:
			s.net = append(s.net, e)
		case d.Cmd == "drop":
			s.print("drop %s", text(e.message))
		default:
			s.net = append(s.net, e)
			s.deliver(len(s.net) - 1)
		}
	}
}

// settle works and delivers until nothing moves, silently but for wishes and cuts.
func (s *script) settle() {
	trace := s.trace
	s.trace = nil
	for range 50 {
		for _, n := range s.nodes {
			if n.core != nil {
				s.workOn(n)
				n.apply(s.world, 1000)
				s.workOn(n)
			}
		}
		for range len(s.net) {
			s.deliver(0)
		}
	}
	s.trace = trace
}

func (s *script) decideAll() {
	for _, n := range s.nodes {
		if n.change != nil {
			s.ask(proposal{change: *n.change})
		}
	}
	before := s.meta.view().Version
	for len(s.inbox) > 0 {
		s.decide(0)
	}
	v := s.meta.view()
	if v.Version == before {
		s.print("refused")
		return
	}
	s.print("version %d term %d primary %d active %v partial %v dead %v retiring %v W=%d", v.Version, v.Term, v.Primary, v.Active,
		v.Partial, v.Dead, v.Retiring, v.WriteQuorum)
}

// fencePeers fences and prints the answers, as durable as they have to be.
func (s *script) fencePeers(d *datadriven.TestData) {
	a := &attempt{id: fencer, view: s.meta.view()}
	s.attempts = []*attempt{a}
	for _, n := range s.peers(d) {
		if n.core == nil {
			continue
		}
		n.core.Step(message{Type: replication.MsgFence, From: fencer, To: n.id, Term: termNo(number(d, "term", 0))})
		s.workOn(n)
		for i := len(s.net) - 1; i >= 0; i-- {
			if e := s.net[i]; e.To == fencer {
				a.answered(e.message)
				s.drop(i)
			}
		}
	}
	for _, f := range a.answers {
		s.print("peer %d promises %d, its log ends at %d@%d", f.Peer, f.Promised, f.LastIndex, f.LastTerm)
	}
	v := s.meta.view()
	best, ok, safe := replication.Choose(a.term(), len(v.Active), v.WriteQuorum, a.answers)
	s.print("choose %d ok=%v safe=%v", best.Peer, ok, safe)
}

func (s *script) printLog(n *node) {
	for _, e := range n.disk.log.entries {
		what := "start"
		if e.Kind == replication.Normal {
			what = fmt.Sprintf("value %d", value(e))
		}
		s.print("%d@%d %s", e.Index, e.Term, what)
	}
}

// printReads checks the reads that are confirmed, and tells which wait.
func (s *script) printReads(n *node) {
	s.check(n)
	round, until := n.core.Confirmed()
	s.print("peer %d has confirmed round %d, which sees up to %d; reads that wait: %d", n.id, round, until, len(n.reads))
}
