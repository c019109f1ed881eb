package peer_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// pinger answers for peers as the test says.
type pinger struct {
	mu struct {
		sync.Mutex
		silent   map[catalog.PeerID]bool
		refused  map[catalog.PeerID]bool
		draining map[catalog.PeerID]bool
		closed   map[catalog.PeerID]bool          // nobody listens
		stalls   map[catalog.PeerID]time.Duration // the next ping ends so late, whatever its context says
		as       map[catalog.PeerID]catalog.PeerID
		resets   []catalog.PeerID
		pings    int
	}
}

func newPinger() *pinger {
	p := &pinger{}
	p.mu.silent, p.mu.refused, p.mu.draining = map[catalog.PeerID]bool{}, map[catalog.PeerID]bool{}, map[catalog.PeerID]bool{}
	p.mu.as = map[catalog.PeerID]catalog.PeerID{}
	p.mu.closed, p.mu.stalls = map[catalog.PeerID]bool{}, map[catalog.PeerID]time.Duration{}
	return p
}

func (p *pinger) Ping(ctx context.Context, to catalog.PeerID) (peer.Pong, error) {
	p.mu.Lock()
	p.mu.pings++
	silent, refused, draining, as := p.mu.silent[to], p.mu.refused[to] || p.mu.closed[to], p.mu.draining[to], p.mu.as[to]
	stall := p.mu.stalls[to]
	p.mu.stalls[to] = 0
	p.mu.Unlock()
	if stall > 0 {
		<-time.After(stall)
		return peer.Pong{}, context.DeadlineExceeded
	}
	if refused {
		return peer.Pong{}, fault.New(fault.Unavailable, "refused")
	}
	if silent {
		<-ctx.Done()
		return peer.Pong{}, ctx.Err()
	}
	if as == 0 {
		as = to
	}
	return peer.Pong{ID: as, Draining: draining}, nil
}

func (p *pinger) Refuses(_ context.Context, to catalog.PeerID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.closed[to]
}

func (p *pinger) Reset(id catalog.PeerID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.resets = append(p.mu.resets, id)
}

func (p *pinger) with(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func monitored(t *testing.T, f func(t *testing.T, m *peer.Monitor, p *pinger, meta *metadata)) {
	monitoredWith(t, newPinger(), f)
}

func monitoredWith(t *testing.T, p *pinger, f func(t *testing.T, m *peer.Monitor, p *pinger, meta *metadata)) {
	synctest.Test(t, func(t *testing.T) {
		meta := newMetadata("c", info(1), info(2))
		m, err := peer.NewMonitor(peer.MonitorOptions{Self: 1, Metadata: meta, Pinger: p})
		check(t, err)
		defer m.Close()
		f(t, m, p, meta)
	})
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestMonitorDeclaresDeadAfterTheGraceAndNotBefore(t *testing.T) {
	for name, fail := range map[string]func(*pinger){
		"silence":                     func(p *pinger) { p.mu.silent[2] = true },
		"refusal":                     func(p *pinger) { p.mu.refused[2] = true },
		"another node at its address": func(p *pinger) { p.mu.as[2] = 9 },
	} {
		t.Run(name, func(t *testing.T) {
			monitored(t, func(t *testing.T, m *peer.Monitor, p *pinger, _ *metadata) {
				pass(time.Second)
				if !m.Alive(2) || time.Since(m.LastSeen(2)) > 250*time.Millisecond {
					t.Fatalf("alive %v, last seen %v ago", m.Alive(2), time.Since(m.LastSeen(2)))
				}
				seen := m.LastSeen(2)
				p.with(func() { fail(p) })
				changed := m.Changed()
				pass(time.Until(seen.Add(1990 * time.Millisecond)))
				if !m.Alive(2) || closed(changed) {
					t.Error("dead before the grace has passed")
				}
				pass(300 * time.Millisecond)
				if m.Alive(2) || m.Gone(2) || !closed(changed) {
					t.Error("alive long after the grace, or known to be gone although it is only silent")
				}
				if len(p.mu.resets) != 1 || p.mu.resets[0] != 2 {
					t.Errorf("resets %v", p.mu.resets)
				}
				p.with(func() { p.mu.silent[2], p.mu.refused[2], p.mu.as[2] = false, false, 0 })
				changed = m.Changed()
				pass(time.Second)
				if !m.Alive(2) || !closed(changed) {
					t.Error("not alive again")
				}
			})
		})
	}
}

func TestMonitorTakesUnknownPeersForAliveUntilTheGrace(t *testing.T) {
	p := newPinger()
	p.mu.silent[2], p.mu.silent[3] = true, true
	monitoredWith(t, p, func(t *testing.T, m *peer.Monitor, p *pinger, meta *metadata) {
		pass(1900 * time.Millisecond)
		if !m.Alive(2) || !m.LastSeen(2).IsZero() {
			t.Error("a peer never reached is not given the grace")
		}
		pass(400 * time.Millisecond)
		if m.Alive(2) {
			t.Error("a peer never reached stays alive")
		}
		meta.set("c", info(1), info(2), info(3))
		if !m.Alive(3) { // at once, before the monitor has looked
			t.Error("a new peer is not given the grace")
		}
		pass(3 * time.Second)
		if m.Alive(3) {
			t.Error("a new peer that never answers stays alive")
		}
	})
}

func TestMonitorKnowsItselfAndForgetsWhoLeft(t *testing.T) {
	monitored(t, func(t *testing.T, m *peer.Monitor, p *pinger, meta *metadata) {
		if !m.Alive(1) || !m.LastSeen(1).Equal(time.Now()) || m.Draining(1) {
			t.Error("a node does not take itself for alive")
		}
		if m.Alive(7) {
			t.Error("who is not in the catalog is alive")
		}
		pass(time.Second)
		meta.set("c", info(1))
		synctest.Wait()
		if m.Alive(2) {
			t.Error("who left is alive")
		}
		pings := p.mu.pings
		pass(time.Minute)
		if p.mu.pings != pings {
			t.Error("who left is still pinged")
		}
	})
}

func TestMonitorTellsOfDrainingPeers(t *testing.T) {
	monitored(t, func(t *testing.T, m *peer.Monitor, p *pinger, _ *metadata) {
		pass(time.Second)
		changed := m.Changed()
		p.with(func() { p.mu.draining[2] = true })
		pass(time.Second)
		if !m.Draining(2) || !closed(changed) || !m.Alive(2) {
			t.Error("draining is not told")
		}
	})
}

func TestAPeerWhoseAddressRefusesConnectionsIsDeadSoon(t *testing.T) {
	monitored(t, func(t *testing.T, m *peer.Monitor, p *pinger, _ *metadata) {
		pass(time.Second)
		p.with(func() { p.mu.closed[2] = true })
		pass(600 * time.Millisecond)
		if m.Alive(2) || !m.Gone(2) {
			t.Error("nobody listens at its address and it is alive")
		}
		pass(5 * time.Second)
		if !m.Gone(2) {
			t.Error("it is forgotten that it is gone")
		}
		p.with(func() { p.mu.closed[2] = false })
		pass(300 * time.Millisecond)
		if !m.Alive(2) || m.Gone(2) {
			t.Error("not alive again")
		}
		p.with(func() { p.mu.closed[2] = true })
		pass(260 * time.Millisecond) // one refusal
		p.with(func() { p.mu.closed[2] = false })
		pass(time.Second)
		if !m.Alive(2) {
			t.Error("dead after one refusal")
		}
	})
}

func TestANewPeerThatDoesNotListenYetGetsTheGrace(t *testing.T) {
	p := newPinger()
	p.mu.closed[2] = true
	monitoredWith(t, p, func(t *testing.T, m *peer.Monitor, _ *pinger, _ *metadata) {
		pass(1900 * time.Millisecond)
		if !m.Alive(2) {
			t.Error("it has not even been there yet and is dead")
		}
		pass(200 * time.Millisecond)
		if m.Alive(2) {
			t.Error("it stays alive for ever")
		}
	})
}

func TestANodeThatStoodStillTakesNobodyForDead(t *testing.T) {
	monitored(t, func(t *testing.T, m *peer.Monitor, p *pinger, _ *metadata) {
		pass(time.Second)
		changed := m.Changed()
		p.with(func() { p.mu.stalls[2] = time.Minute })
		pass(2 * time.Minute)
		if !m.Alive(2) || closed(changed) {
			t.Error("its own stall was taken for the other's death")
		}
	})
}
