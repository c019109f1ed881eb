package peer_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

func TestAPeerThatLeavesIsDeadAtOnceAndLivesAgainInItsNextLife(t *testing.T) {
	monitored(t, func(t *testing.T, m *peer.Monitor, p *pinger, _ *metadata) {
		pass(time.Second)
		changed := m.Changed()
		m.Heard(2, peer.Draining)
		if !m.Alive(2) || !m.Draining(2) || !closed(changed) {
			t.Fatal("draining is not told, or taken for death")
		}
		p.with(func() { p.mu.draining[2] = true })
		changed = m.Changed()
		m.Heard(2, peer.Leaving)
		if m.Alive(2) || !closed(changed) {
			t.Fatal("alive after it left")
		}
		pass(time.Second) // its door is open still
		if m.Alive(2) || len(p.mu.resets) > 0 {
			t.Errorf("alive %t by the last words of a peer that left, calls to it ended %d times before it has answered them", m.Alive(2), len(p.mu.resets))
		}
		p.with(func() { p.mu.draining[2], p.mu.refused[2] = false, true })
		pass(5 * time.Second)
		if !slices.Equal(p.mu.resets, []catalog.PeerID{2}) {
			t.Errorf("calls to peers that do not answer any more were ended: %v, want once", p.mu.resets)
		}
		changed = m.Changed()
		p.with(func() { p.mu.refused[2] = false })
		pass(time.Second)
		if !m.Alive(2) || m.Draining(2) || !closed(changed) {
			t.Error("it came back and is not alive")
		}
		m.Heard(7, peer.Leaving) // who is no member is nobody's business
	})
}

func TestAnnouncementsReachEveryPeerThatAnswers(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		a.meta.set("c", a.peer, b.peer, info(9)) // who does not answer holds nobody up
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		a.pool.Announce(ctx, peer.Draining)
		a.pool.Announce(ctx, peer.Leaving)
		synctest.Wait()
		if got := b.heard(); !slices.Equal(got, []peer.Standing{peer.Draining, peer.Leaving}) {
			t.Errorf("heard %v", got)
		}
		if got := a.heard(); len(got) != 0 {
			t.Errorf("it told itself: %v", got)
		}
	})
}

func TestARemovedPeerIsToldSoAndAskedNoMore(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		if _, err := a.pool.Ping(t.Context(), 2); err != nil || a.expelled.Load() != 0 {
			t.Fatalf("a member: %v, told %d times that it is none", err, a.expelled.Load())
		}
		b.removed = map[catalog.PeerID]bool{1: true}
		if _, err := a.pool.Ping(t.Context(), 2); !fault.Is(err, fault.FailedPrecondition) || a.expelled.Load() != 1 {
			t.Errorf("a removed peer: %v, told %d times", err, a.expelled.Load())
		}
		if err := a.pool.Greet(t.Context(), b.peer.PeerAddr); !fault.Is(err, fault.FailedPrecondition) || a.expelled.Load() != 2 {
			t.Errorf("by its address: %v, told %d times", err, a.expelled.Load())
		}
		gone := a.peer
		gone.Removed = true
		b.meta.set("c", gone, b.peer)
		synctest.Wait()
		if _, err := b.pool.Ping(t.Context(), 1); !fault.Is(err, fault.Unavailable) {
			t.Errorf("the removed peer is asked: %v", err)
		}
	})
}

func TestARemovedPeerIsDead(t *testing.T) {
	monitored(t, func(t *testing.T, m *peer.Monitor, _ *pinger, meta *metadata) {
		pass(time.Second)
		changed, gone := m.Changed(), info(2)
		gone.Removed = true
		meta.set("c", info(1), gone)
		synctest.Wait()
		if m.Alive(2) || !closed(changed) {
			t.Error("it answers still, but nobody asks it any more")
		}
	})
}
