package peer_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

func newSender(t *testing.T, opts peer.SenderOptions) *peer.Sender {
	t.Helper()
	s, err := peer.NewSender(opts)
	check(t, err)
	return s
}

func appendMessage(i int, data []byte) replication.Message {
	return replication.Message{
		Type: replication.MsgAppend, From: 1, To: 2, Term: 1, PrevIndex: replication.Index(i), PrevTerm: 1,
		Entries: []replication.Entry{{Term: 1, Index: replication.Index(i) + 1, Data: data}},
	}
}

func TestSenderKeepsOrderAndBatches(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		registry := prometheus.NewRegistry()
		s := newSender(t, peer.SenderOptions{Pool: a.pool, FrameBytes: 1000, Metrics: peer.NewMetrics(registry)})
		defer s.Close()
		const count = 5000
		for i := range count {
			s.Send(2, ref, 4, appendMessage(i, bytes.Repeat([]byte{byte(i)}, i%300)))
		}
		s.Send(2, ref, 4, appendMessage(count, make([]byte, 100_000))) // larger than a frame: alone
		pass(time.Second)
		steps := b.replicas.stepped()
		if len(steps) != count+1 {
			t.Fatalf("%d of %d messages arrived", len(steps), count+1)
		}
		for i, e := range steps {
			if e.Message.PrevIndex != replication.Index(i) || e.Ref != ref || e.Generation != 4 {
				t.Fatalf("message %d is %+v", i, e)
			}
		}
		if n := metric(t, registry, "ostraka_peer_replication_messages_total"); n != count+1 {
			t.Errorf("%v messages counted", n)
		}
	})
}

func metric(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	check(t, err)
	total := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total
}

func TestSenderDropsWhatDoesNotFitAndNeverBlocks(t *testing.T) {
	pair(t, func(t *testing.T, n *network, a, b *node) {
		n.setCut(b.peer.PeerAddr, true)
		registry := prometheus.NewRegistry()
		s := newSender(t, peer.SenderOptions{Pool: a.pool, QueueMessages: 10, QueueBytes: 10_000, Metrics: peer.NewMetrics(registry)})
		defer s.Close()
		start := time.Now()
		for i := range 100 {
			s.Send(2, ref, 4, appendMessage(i, nil))
		}
		for i := range 100 {
			s.Send(3, ref, 4, appendMessage(i, make([]byte, 4000))) // nobody there
		}
		if time.Since(start) != 0 {
			t.Errorf("Send blocked for %v", time.Since(start))
		}
		pass(time.Second)
		if dropped := metric(t, registry, "ostraka_peer_replication_dropped_messages_total"); dropped < 180 {
			t.Errorf("%v dropped", dropped)
		}
	})
}

func TestSenderReconnectsWhenThePeerReturns(t *testing.T) {
	pair(t, func(t *testing.T, n *network, a, b *node) {
		registry := prometheus.NewRegistry()
		s := newSender(t, peer.SenderOptions{Pool: a.pool, Metrics: peer.NewMetrics(registry)})
		defer s.Close()
		s.Send(2, ref, 4, appendMessage(0, nil))
		pass(time.Second)
		n.setCut(b.peer.PeerAddr, true)
		a.pool.Reset(2)
		for i := range 20 { // the protocol sends again and again
			s.Send(2, ref, 4, appendMessage(i, nil))
			pass(100 * time.Millisecond)
		}
		if got := len(b.replicas.stepped()); got != 1 {
			t.Fatalf("%d messages crossed the cut", got)
		}
		n.setCut(b.peer.PeerAddr, false)
		pass(2 * time.Second)
		s.Send(2, ref, 4, appendMessage(99, nil))
		pass(3 * time.Second)
		s.Send(2, ref, 4, appendMessage(100, nil))
		pass(time.Second)
		steps := b.replicas.stepped()
		if last := steps[len(steps)-1].Message.PrevIndex; last != 100 {
			t.Errorf("the last message that arrived is %d", last)
		}
		if metric(t, registry, "ostraka_peer_replication_broken_streams_total") == 0 {
			t.Error("broken streams are not counted")
		}
	})
}

func TestSenderNoticesABrokenStreamWhileIdle(t *testing.T) {
	pair(t, func(t *testing.T, n *network, a, b *node) {
		registry := prometheus.NewRegistry()
		s := newSender(t, peer.SenderOptions{Pool: a.pool, Metrics: peer.NewMetrics(registry)})
		defer s.Close()
		s.Send(2, ref, 4, appendMessage(0, nil))
		pass(time.Second)
		a.pool.Reset(2)
		pass(5 * time.Second)
		s.Send(2, ref, 4, appendMessage(1, nil)) // the first after the break is not lost
		pass(time.Second)
		if got := len(b.replicas.stepped()); got != 2 {
			t.Errorf("%d messages arrived", got)
		}
	})
}

func TestMessagesForAnotherPeerEndTheStream(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		s := newSender(t, peer.SenderOptions{Pool: a.pool})
		defer s.Close()
		m := appendMessage(0, nil)
		m.To = 7
		s.Send(2, ref, 4, m)
		pass(time.Second)
		if got := b.replicas.stepped(); len(got) != 0 {
			t.Errorf("peer 2 took %+v", got)
		}
	})
}

func TestSenderForgetsPeersThatLeft(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		s := newSender(t, peer.SenderOptions{Pool: a.pool})
		s.Send(2, ref, 4, appendMessage(0, nil))
		pass(time.Second)
		a.meta.set("c", info(1))
		pass(time.Second)
		s.Send(2, ref, 4, appendMessage(1, nil))
		pass(time.Second)
		check(t, s.Close())
		s.Send(2, ref, 4, appendMessage(2, nil)) // after Close: dropped
		synctest.Wait()
		if got := len(b.replicas.stepped()); got != 1 {
			t.Errorf("%d messages arrived", got)
		}
	})
}

func TestMetricsNamesAreWellFormed(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	peer.NewMetrics(registry)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
