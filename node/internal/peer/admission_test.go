package peer_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// raftFake keeps voters in a map.
type raftFake struct {
	leader catalog.PeerID
	addr   string
	voters map[catalog.PeerID]string
	fail   error
}

func (r *raftFake) Leader() (catalog.PeerID, string)  { return r.leader, r.addr }
func (r *raftFake) Barrier(context.Context) error     { return nil }
func (r *raftFake) Voters() map[catalog.PeerID]string { return maps.Clone(r.voters) }
func (r *raftFake) AddVoter(_ context.Context, id catalog.PeerID, addr string) error {
	if r.fail != nil {
		return r.fail
	}
	for other, a := range r.voters {
		if other != id && a == addr {
			return fault.New(fault.Internal, "duplicate address in configuration")
		}
	}
	r.voters[id] = addr
	return nil
}

func (r *raftFake) RemoveVoter(_ context.Context, id catalog.PeerID) error {
	delete(r.voters, id)
	return nil
}

// registrar applies RegisterPeer to a metadata.
type registrar struct{ meta *metadata }

func (r registrar) ApplyHere(_ context.Context, commands []catalog.Command) (uint64, []catalog.Result, error) {
	state, _ := r.meta.Watch()
	var peers []catalog.Peer
	p := *commands[0].RegisterPeer
	for _, old := range state.Peers {
		if old.ID != p.ID {
			gone := *old
			gone.Replaced = gone.Replaced || gone.Name == p.Name
			peers = append(peers, gone)
		}
	}
	r.meta.set(state.ClusterID, append(peers, p)...)
	return 1, []catalog.Result{{}}, nil
}

type aliveSet map[catalog.PeerID]bool

func (a aliveSet) Alive(id catalog.PeerID) bool { return a[id] }

// door is a cluster of one member (peer 1, the leader) that nodes want to join.
type door struct {
	net    *network
	leader *node
	raft   *raftFake
	alive  aliveSet
	admit  *peer.Admission
}

func withDoor(t *testing.T, f func(t *testing.T, d *door)) {
	synctest.Test(t, func(t *testing.T) {
		d := &door{net: newNetwork(), alive: aliveSet{1: true}}
		meta := newMetadata("c", info(1))
		d.leader = newNode(info(1), "c", meta).start(t, d.net)
		defer d.leader.stop()
		d.raft = &raftFake{leader: 1, addr: info(1).PeerAddr, voters: map[catalog.PeerID]string{1: info(1).PeerAddr}}
		var err error
		d.admit, err = peer.NewAdmission(peer.AdmissionOptions{
			Self: 1, Membership: d.leader.membership, Metadata: meta, Raft: d.raft, Proposer: registrar{meta},
			Liveness: d.alive, Pool: d.leader.pool, Dial: d.net.dial,
		})
		check(t, err)
		d.leader.joiner = d.admit.Join
		f(t, d)
	})
}

func (d *door) state() *catalog.State {
	state, _ := d.leader.meta.Watch()
	return state
}

func TestAdmissionMakesAVoterAndRegistersIt(t *testing.T) {
	withDoor(t, func(t *testing.T, d *door) {
		b := newNode(info(2), "", newMetadata("")).start(t, d.net)
		defer b.stop()
		for range 2 { // asking again is harmless
			answer, err := peer.Join(context.Background(), seek(d.net, b.membership, b.peer, info(1).PeerAddr))
			if err != nil || answer.ClusterID != "c" || len(answer.Peers) != 2 {
				t.Fatalf("got %+v, %v", answer, err)
			}
		}
		if d.raft.voters[2] != info(2).PeerAddr || !d.state().Peers[2].Says(info(2)) {
			t.Errorf("voters %v, peers %+v", d.raft.voters, d.state().Peers)
		}
	})
}

func TestAdmissionRegistersNewAddressesOfAKnownPeer(t *testing.T) {
	withDoor(t, func(t *testing.T, d *door) {
		b := newNode(info(2), "", newMetadata("")).start(t, d.net)
		defer b.stop()
		_, err := d.admit.Join(context.Background(), b.peer, false)
		check(t, err)
		moved := newNode(info(2), "c", newMetadata(""))
		moved.peer.PeerAddr, moved.peer.Zone = "moved:6335", "z2"
		moved.start(t, d.net)
		defer moved.stop()
		_, err = d.admit.Join(context.Background(), moved.peer, false)
		check(t, err)
		if d.raft.voters[2] != "moved:6335" || !d.state().Peers[2].Says(moved.peer) {
			t.Errorf("voters %v, peer %+v", d.raft.voters, d.state().Peers[2])
		}
	})
}

func TestAdmissionTellsAWipedNodeFromItsFormerSelf(t *testing.T) {
	withDoor(t, func(t *testing.T, d *door) {
		old := newNode(info(2), "", newMetadata("")).start(t, d.net)
		_, err := d.admit.Join(context.Background(), old.peer, false)
		check(t, err)
		d.alive[2] = true
		old.stop()
		wiped := newNode(info(2), "", newMetadata(""))
		wiped.peer.ID = 22 // same name, same address, empty disk, back before the monitor has noticed
		wiped.start(t, d.net)
		defer wiped.stop()
		_, err = d.admit.Join(context.Background(), wiped.peer, false)
		check(t, err)
		if _, there := d.raft.voters[2]; there || d.raft.voters[22] != info(2).PeerAddr {
			t.Errorf("voters %v", d.raft.voters)
		}
		if !d.state().Peers[2].Replaced || d.state().Peers[22].Replaced {
			t.Errorf("peers %+v %+v", d.state().Peers[2], d.state().Peers[22])
		}
	})
}

func TestAdmissionRefusesANameThatLives(t *testing.T) {
	withDoor(t, func(t *testing.T, d *door) {
		b := newNode(info(2), "", newMetadata("")).start(t, d.net)
		defer b.stop()
		_, err := d.admit.Join(context.Background(), b.peer, false)
		check(t, err)
		d.alive[2] = true
		for _, name := range []string{"node-1", "node-2"} {
			c := newNode(info(3), "", newMetadata(""))
			c.peer.Name = name
			c.start(t, d.net)
			_, err = d.admit.Join(context.Background(), c.peer, false)
			if !fault.Is(err, fault.Exists) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "node-"+name[5:]+":6335") {
				t.Errorf("%s: %v", name, err)
			}
			c.stop()
		}
		if len(d.raft.voters) != 2 || len(d.state().Peers) != 2 {
			t.Errorf("a refused node left traces: %v", d.raft.voters)
		}
	})
}

func TestAdmissionRefusesNodesItCannotReach(t *testing.T) {
	withDoor(t, func(t *testing.T, d *door) {
		_, err := d.admit.Join(context.Background(), info(2), false)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), info(2).PeerAddr) {
			t.Errorf("nobody at the address: %v", err)
		}
		wrong := info(2)
		wrong.PeerAddr = info(1).PeerAddr
		_, err = d.admit.Join(context.Background(), wrong, false)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "node-1") {
			t.Errorf("another node at the address: %v", err)
		}
		foreign := newNode(info(3), "other", newMetadata("")).start(t, d.net)
		defer foreign.stop()
		if _, err = d.admit.Join(context.Background(), foreign.peer, false); !fault.Is(err, fault.FailedPrecondition) {
			t.Errorf("a node of another cluster: %v", err)
		}
		if len(d.raft.voters) != 1 {
			t.Errorf("voters %v", d.raft.voters)
		}
	})
}

func TestAdmissionRefusesMalformedPeers(t *testing.T) {
	withDoor(t, func(t *testing.T, d *door) {
		for name, change := range map[string]func(*catalog.Peer){
			"id 0":             func(p *catalog.Peer) { p.ID = 0 },
			"id too large":     func(p *catalog.Peer) { p.ID = 1 << 53 },
			"no name":          func(p *catalog.Peer) { p.Name = "" },
			"blank in name":    func(p *catalog.Peer) { p.Name = "a b" },
			"long name":        func(p *catalog.Peer) { p.Name = strings.Repeat("x", 256) },
			"no port":          func(p *catalog.Peer) { p.PeerAddr = "host" },
			"port 0":           func(p *catalog.Peer) { p.PeerAddr = "host:0" },
			"no host":          func(p *catalog.Peer) { p.GRPCAddr = ":6334" },
			"any address":      func(p *catalog.Peer) { p.PeerAddr = "0.0.0.0:6335" },
			"any address, six": func(p *catalog.Peer) { p.PeerAddr = "[::]:6335" },
		} {
			p := info(2)
			change(&p)
			if _, err := d.admit.Join(context.Background(), p, false); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestJoinIsForwardedToTheLeaderOnce(t *testing.T) {
	withDoor(t, func(t *testing.T, d *door) {
		meta := newMetadata("c", info(1), info(4))
		follower := newNode(info(4), "c", meta).start(t, d.net)
		defer follower.stop()
		raft := &raftFake{leader: 1, addr: info(1).PeerAddr}
		admit, err := peer.NewAdmission(peer.AdmissionOptions{
			Self: 4, Membership: follower.membership, Metadata: meta, Raft: raft, Proposer: registrar{meta},
			Liveness: d.alive, Pool: follower.pool, Dial: d.net.dial,
		})
		check(t, err)
		follower.joiner = admit.Join
		b := newNode(info(2), "", newMetadata("")).start(t, d.net)
		defer b.stop()
		answer, err := peer.Join(context.Background(), seek(d.net, b.membership, b.peer, follower.peer.PeerAddr))
		if err != nil || len(answer.Peers) != 2 || d.raft.voters[2] == "" {
			t.Errorf("got %+v, %v", answer, err)
		}
		d.raft.leader = 4 // each takes the other for the leader
		d.raft.addr = follower.peer.PeerAddr
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := admit.Join(ctx, info(5), false); !fault.Is(err, fault.NotPrimary) {
			t.Errorf("two followers: %v", err)
		}
		raft.leader = 0
		if _, err := admit.Join(ctx, info(5), false); !fault.Is(err, fault.Unavailable) {
			t.Errorf("no leader: %v", err)
		}
	})
}

func TestAdmissionKeepsTheClassOfRaftsErrors(t *testing.T) {
	withDoor(t, func(t *testing.T, d *door) {
		b := newNode(info(2), "", newMetadata("")).start(t, d.net)
		defer b.stop()
		d.raft.fail = fault.New(fault.NotPrimary, "lost leadership")
		if _, err := d.admit.Join(context.Background(), b.peer, false); !fault.Is(err, fault.NotPrimary) {
			t.Errorf("got %v", err)
		}
		if _, there := d.state().Peers[2]; there {
			t.Error("registered though it is no voter")
		}
	})
}
