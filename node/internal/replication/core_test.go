package replication_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// solo is a Core with its disk, driven by hand.
type solo struct {
	*replication.Core
	log   *memLog
	state replication.HardState
}

func newSolo(self peerID, log *memLog, state replication.HardState, applied index, o replication.Options) *solo {
	return &solo{Core: replication.New(replication.Config{Self: self, Log: log, State: state, Applied: applied, Options: o}), log: log, state: state}
}

// drain makes every Ready durable and returns all that came out.
func (s *solo) drain() (out []message, last replication.Ready) {
	for n := 0; s.HasReady(); n++ {
		if n > 1000 {
			panic("there is no end of Readys: " + s.Describe())
		}
		r := s.Ready()
		if r.TruncateFrom != 0 {
			s.log.cut(r.TruncateFrom)
		}
		s.log.add(r.Append)
		if r.State != nil {
			s.state = *r.State
		}
		out = append(append(out, r.Early...), r.Messages...)
		last = r
		s.Advance()
	}
	return out, last
}

func threeReplicas(w int) viewInfo {
	return viewInfo{Version: 1, Term: 1, Primary: 1, Active: []peerID{1, 2, 3}, WriteQuorum: w}
}

func logOf(terms ...termNo) *memLog {
	l := &memLog{}
	for i, t := range terms {
		l.entries = append(l.entries, entry{Term: t, Index: index(i + 1)})
	}
	return l
}

func TestProposeRefusesBeyondItsBounds(t *testing.T) {
	c := newSolo(1, &memLog{}, replication.HardState{}, 0, replication.Options{MaxPendingBytes: 10, MaxPendingEntries: 3})
	c.Learn(threeReplicas(2))
	c.drain()
	if _, err := c.Propose(make([]byte, 100)); err != nil {
		t.Fatalf("an operation larger than the bound, alone: %v", err)
	}
	if _, err := c.Propose(make([]byte, 1)); !fault.Is(err, fault.Exhausted) {
		t.Fatalf("beyond the bytes: %v", err)
	}
	c.drain()
	c.Step(message{Type: replication.MsgAppendReply, From: 2, To: 1, Term: 1, Match: 2})
	if first, err := c.Propose([]byte("a"), []byte("b"), []byte("c")); err != nil || first != 3 {
		t.Fatalf("after a commit: %d, %v", first, err)
	}
	if _, err := c.Propose(nil); !fault.Is(err, fault.Exhausted) {
		t.Fatalf("beyond the entries: %v", err)
	}
}

func TestProposeWithoutAViewIsNotPrimary(t *testing.T) {
	c := newSolo(1, &memLog{}, replication.HardState{}, 0, replication.Options{})
	if _, err := c.Propose(nil); !fault.Is(err, fault.NotPrimary) || fault.Hint(err, "primary") != "" {
		t.Fatalf("got %v", err)
	}
}

func TestSingleReplicaCommitsByItself(t *testing.T) {
	c := newSolo(1, &memLog{}, replication.HardState{}, 0, replication.Options{})
	c.Learn(viewInfo{Version: 1, Term: 1, Primary: 1, Active: []peerID{1}, WriteQuorum: 1})
	c.drain()
	if _, err := c.Propose([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if out, _ := c.drain(); c.CommitIndex() != 2 || len(out) != 0 {
		t.Fatalf("commit %d, messages %v", c.CommitIndex(), out)
	}
	c.AppliedTo(2)
	if c.CompletedIndex() != 2 || !c.Quiet() {
		t.Fatalf("completed %d, quiet %v", c.CompletedIndex(), c.Quiet())
	}
}

func TestFollowerThatNeedsCompactedEntriesIsReportedAndDemoted(t *testing.T) {
	log := logOf(1, 1, 1, 1)
	log.compact(3)
	c := newSolo(1, log, replication.HardState{Promised: 1, Led: 1}, 4, replication.Options{})
	v := threeReplicas(1)
	v.Term = 2
	c.Learn(v)
	c.drain()
	c.Step(message{Type: replication.MsgAppendReply, From: 2, To: 1, Term: 2, Match: 5})
	c.Step(message{Type: replication.MsgAppendReply, From: 3, To: 1, Term: 2, Reject: true, PrevIndex: 4, Match: 1, PrevTerm: 1})
	r := c.Ready()
	c.Advance()
	if len(r.NeedSnapshot) != 1 || r.NeedSnapshot[0] != 3 {
		t.Fatalf("need snapshot: %v", r.NeedSnapshot)
	}
	if r.Change == nil || r.Change.Demote != 3 {
		t.Fatalf("change: %v", r.Change)
	}
	if out, _ := c.drain(); len(out) != 0 {
		t.Fatalf("keeps sending: %v", out)
	}
	// The probe of a later tick finds it where a snapshot brought it.
	for range 3 {
		c.Tick()
	}
	out, _ := c.drain()
	probe := out[len(out)-1]
	if probe.To != 3 || len(probe.Entries) != 0 {
		t.Fatalf("probe: %v", text(probe))
	}
	c.Step(message{Type: replication.MsgAppendReply, From: 3, To: 1, Term: 2, Reject: true, PrevIndex: probe.PrevIndex, Match: 4, PrevTerm: 1})
	if out, _ = c.drain(); len(out) != 1 || len(out[0].Entries) != 1 || len(c.Status().NeedSnapshot) != 0 {
		t.Fatalf("after the snapshot: %d messages, %s", len(out), c.Describe())
	}
}

// With W = 1 a promotion may have been made with too few answers. What the returning old primary had applied cannot be undone.
func TestAppliedEntriesAreNeverCut(t *testing.T) {
	c := newSolo(1, logOf(1, 1, 1), replication.HardState{Promised: 1, Led: 1}, 3, replication.Options{})
	c.Step(message{Type: replication.MsgAppend, From: 2, To: 1, Term: 2, PrevIndex: 1, PrevTerm: 1, Entries: []entry{{Term: 2, Index: 2}}, Commit: 2})
	out, r := c.drain()
	if r.TruncateFrom != 0 || c.log.LastIndex() != 3 || c.Status().Diverged != 2 {
		t.Fatalf("cut %d, %s", r.TruncateFrom, c.Describe())
	}
	if len(out) != 1 || !out[0].Reject || out[0].Match >= out[0].Applied {
		t.Fatalf("reply: %v", out)
	}

	p := newSolo(2, logOf(1), replication.HardState{}, 1, replication.Options{})
	p.Learn(viewInfo{Version: 1, Term: 2, Primary: 2, Active: []peerID{1, 2}, WriteQuorum: 1})
	p.drain()
	p.Step(out[0])
	if _, r := p.drain(); r.Change == nil || r.Change.Demote != 1 {
		t.Fatalf("the primary keeps it: %s", p.Describe())
	}
}

func TestBackingUpSkipsWholeTerms(t *testing.T) {
	terms := make([]termNo, 0, 200)
	for i := range 200 {
		terms = append(terms, termNo(1+i/50))
	}
	p := newSolo(1, logOf(append(terms, 9)...), replication.HardState{Promised: 9}, 0, replication.Options{})
	old := make([]termNo, 300)
	for i := range old {
		old[i] = 1
	}
	f := newSolo(2, logOf(old...), replication.HardState{Promised: 1}, 10, replication.Options{})
	p.Learn(viewInfo{Version: 1, Term: 10, Primary: 1, Active: []peerID{1, 2}, WriteQuorum: 2})
	trips := 0
	for moved := true; moved && trips < 50; trips++ {
		out, _ := p.drain()
		moved = len(out) > 0
		for _, m := range out {
			f.Step(m)
		}
		replies, _ := f.drain()
		for _, m := range replies {
			p.Step(m)
		}
	}
	if p.CommitIndex() != 202 || trips > 8 {
		t.Fatalf("commit %d after %d round trips", p.CommitIndex(), trips)
	}
}

func TestStaleGenerationIsNotHeard(t *testing.T) {
	c := newSolo(1, &memLog{}, replication.HardState{}, 0, replication.Options{})
	v := threeReplicas(2)
	v.Generations = map[peerID]uint64{1: 1, 2: 7, 3: 3}
	c.Learn(v)
	c.drain()
	c.Step(message{Type: replication.MsgAppendReply, From: 2, To: 1, Term: 1, Match: 1, Generation: 2})
	if c.CommitIndex() != 0 {
		t.Fatal("a dropped replica's acknowledgement counted")
	}
	c.Step(message{Type: replication.MsgAppendReply, From: 2, To: 1, Term: 1, Match: 1, Generation: 7})
	if c.CommitIndex() != 1 {
		t.Fatal("its successor's did not")
	}
}

// Under steady load the whole log is never held by a replica that is catching up, unless the log waits for it a moment (R4).
func TestActivationUnderSteadyLoad(t *testing.T) {
	c := newSolo(1, &memLog{}, replication.HardState{}, 0, replication.Options{})
	v := threeReplicas(1)
	v.Active, v.Partial = []peerID{1, 3}, []peerID{2}
	c.Learn(v)
	var travelling []message
	for range 200 {
		if _, err := c.Propose([]byte("x")); err != nil {
			t.Fatal(err)
		}
		out, _ := c.drain() // always more on the way before what went before is answered
		if change := c.Status().Change; change != nil {
			if change.Activate != 2 {
				t.Fatalf("wants %v", change)
			}
			return
		}
		for _, m := range travelling {
			match := m.PrevIndex + index(len(m.Entries))
			c.Step(message{Type: replication.MsgAppendReply, From: m.To, To: 1, Term: 1, Match: match, Applied: 0})
		}
		travelling = out
		c.Tick()
	}
	t.Fatalf("never activated: %s", c.Describe())
}

func TestConfigCheckNamesWhatIsWrong(t *testing.T) {
	gap := logOf(1, 1, 1)
	gap.compact(2)
	for name, c := range map[string]struct {
		config replication.Config
		want   string
	}{
		"no self":       {replication.Config{Log: logOf()}, "self"},
		"no log":        {replication.Config{Self: 1}, "log is missing"},
		"beyond":        {replication.Config{Self: 1, Log: logOf(1), Applied: 2}, "beyond the log"},
		"gap":           {replication.Config{Self: 1, Log: gap, Applied: 1}, "gap"},
		"led":           {replication.Config{Self: 1, Log: logOf(), State: replication.HardState{Led: 2}}, "led"},
		"nothing wrong": {replication.Config{Self: 1, Log: gap, Applied: 2}, ""},
	} {
		err := c.config.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestChooseAsksForEnoughAnswers(t *testing.T) {
	answers := []replication.FenceAnswer{
		{Peer: 1, Promised: 5, LastTerm: 3, LastIndex: 9},
		{Peer: 2, Promised: 5, LastTerm: 4, LastIndex: 2},
		{Peer: 2, Promised: 5, LastTerm: 9, LastIndex: 9}, // once is enough
		{Peer: 3, Promised: 4, LastTerm: 9, LastIndex: 9}, // did not promise
		{Peer: 4, Promised: 6, LastTerm: 4, LastIndex: 2},
	}
	for _, c := range []struct {
		active, w, answers int
		best               peerID
		ok, safe           bool
	}{
		{5, 3, 5, 2, true, true}, {5, 3, 2, 2, false, false}, {3, 3, 1, 1, true, true}, {3, 5, 1, 1, true, true},
		{3, 1, 2, 2, true, false}, {3, 1, 0, 0, false, false}, {1, 3, 0, 0, false, false}, {2, 2, 1, 1, true, true},
	} {
		best, ok, safe := replication.Choose(5, c.active, c.w, answers[:c.answers])
		if best.Peer != c.best || ok != c.ok || safe != c.safe {
			t.Errorf("%+v: got %d %v %v", c, best.Peer, ok, safe)
		}
	}
}

// FuzzStep: whatever a peer sends, a Core neither panics nor lets go of what is committed.
func FuzzStep(f *testing.F) {
	f.Add([]byte{1, 2, 1, 0, 0, 1, 1, 1, 3, 2, 2, 1, 2, 1, 1, 1})
	f.Add([]byte{2, 3, 1, 9, 9, 0, 200, 255, 1, 0, 2, 2, 7, 1, 1, 3})
	f.Add([]byte{3, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 9, 0, 0, 0})
	f.Add(bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 16))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = data[:min(len(data), 600)]
		for _, primary := range []peerID{1, 2} {
			c := newSolo(1, logOf(1, 1, 2), replication.HardState{Promised: 2}, 2, replication.Options{MaxInflightEntries: 2, MaxBatchBytes: 4})
			v := threeReplicas(2)
			v.Term, v.Primary = 3, primary
			c.Learn(v)
			c.drain()
			for rest := data; len(rest) >= 12; rest = rest[12:] {
				c.Step(forge(rest))
				if rest[11]&1 == 0 {
					c.drain()
				}
				c.Tick()
			}
			c.drain()
			if term, err := c.log.Term(2); err != nil || term != 1 {
				t.Fatalf("the applied entry 2 now has term %d, %v", term, err)
			}
		}
	})
}

// forge makes a message out of twelve bytes.
func forge(b []byte) message {
	m := message{
		Type: replication.MessageType(b[0] % 6), From: peerID(b[1] % 5), To: peerID(b[1] >> 7), Term: termNo(b[2] % 16),
		PrevIndex: index(b[3] % 16), PrevTerm: termNo(b[4] % 16), Commit: index(b[6]), Reject: b[7]&1 == 1, Match: index(b[8]), Applied: index(b[9]),
	}
	if b[7]&2 != 0 {
		m.PrevIndex, m.Match = ^index(0)-m.PrevIndex, ^index(0)-m.Match
	}
	for i := range index(b[5] % 4) {
		m.Entries = append(m.Entries, entry{Term: termNo(b[10]%16) + termNo(i)*termNo(b[11]>>7), Index: m.PrevIndex + 1 + i, Kind: replication.EntryKind(b[11] >> 1 % 4)})
	}
	return m
}

// A replica whose link is slow answers late, again and again, while writes go on: it gets moments in which it could catch up, and
// ever fewer of them, so that writes do not wait for what W does not ask for.
func TestWritesDoNotWaitForEverForAReplicaThatIsSlow(t *testing.T) {
	c := newSolo(1, &memLog{}, replication.HardState{}, 0, replication.Options{})
	c.Learn(viewInfo{Version: 1, Term: 1, Primary: 1, Active: []peerID{1}, Partial: []peerID{2}, WriteQuorum: 1})
	const late = 4 // ticks until its answers arrive: longer than writes wait
	var answers [][]index
	held := make([]int, 10)
	for tick := range 1000 {
		if _, err := c.Propose([]byte("x")); err != nil {
			t.Fatal(err)
		}
		out, _ := c.drain()
		var now []index
		for _, m := range out {
			if m.Type == replication.MsgAppend && m.To == 2 {
				now = append(now, m.PrevIndex+index(len(m.Entries)))
			}
		}
		answers = append(answers, now)
		if len(answers) > late {
			for _, match := range answers[0] {
				c.Step(message{Type: replication.MsgAppendReply, From: 2, To: 1, Term: 1, Match: match})
			}
			answers = answers[1:]
			c.drain()
		}
		if c.log.LastIndex() < c.Status().LastIndex {
			held[tick/100]++
		}
		c.Tick()
	}
	if held[0] == 0 {
		t.Error("it never got a chance to catch up")
	}
	if last := held[len(held)-1]; last > 2 {
		t.Errorf("writes still waited in %d of the last 100 ticks; by hundreds: %v", last, held)
	}
}

func TestADeadReplicaThatIsAwayIsLeftAloneUntilItIsBack(t *testing.T) {
	c := newSolo(1, &memLog{}, replication.HardState{}, 0, replication.Options{ProbeTicks: 3})
	v := threeReplicas(2)
	v.Active, v.Dead = []peerID{1, 2}, []peerID{3}
	c.Learn(v)
	c.drain()
	c.Step(message{Type: replication.MsgAppendReply, From: 2, To: 1, Term: 1, Match: 1, Applied: 1})
	c.drain()
	c.AppliedTo(1)
	c.drain()
	probes := func(ticks int) (to3 int) {
		for range ticks {
			c.Tick()
			out, _ := c.drain()
			for _, m := range out {
				if m.To == 3 {
					to3++
				}
			}
		}
		return to3
	}
	if n := probes(9); n != 3 || c.Quiet() {
		t.Fatalf("%d probes in nine ticks, quiet %t", n, c.Quiet())
	}
	c.Unreachable(3)
	if away := c.Away(); !c.Quiet() || len(away) != 1 || away[0] != 3 {
		t.Fatalf("quiet %t, away %v: %s", c.Quiet(), away, c.Describe())
	}
	if n := probes(100); n != 0 {
		t.Fatalf("%d probes to a replica that is away", n)
	}
	c.Reachable(3)
	if c.Quiet() || c.Away() != nil {
		t.Fatalf("quiet %t, away %v", c.Quiet(), c.Away())
	}
	if n := probes(1); n != 1 {
		t.Fatalf("%d probes in the tick after it is back", n)
	}
	c.Unreachable(3)
	c.Step(message{Type: replication.MsgAppendReply, From: 3, To: 1, Term: 1, Match: 0})
	if _, last := c.drain(); last.Change == nil || last.Change.Receive != 3 || c.Away() != nil {
		t.Fatalf("an answer of who was away leads to %+v, away %v", last.Change, c.Away())
	}
}
