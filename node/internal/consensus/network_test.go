package consensus_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
)

// tcp is the plainest stream layer.
type tcp struct{ net.Listener }

func (tcp) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(addr), timeout)
}

// TestNodesOverSocketsLeaveNothingBehind runs two nodes over real sockets; one closes while the other still holds
// connections to it, and comes back elsewhere.
func TestNodesOverSocketsLeaveNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dirs := map[catalog.PeerID]string{1: t.TempDir(), 2: t.TempDir()}
	open := func(id catalog.PeerID) (*consensus.Node, string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		n, err := consensus.Open(consensus.Options{Dir: dirs[id], Self: id, Address: addr, Layer: tcp{l}})
		if err != nil {
			t.Fatal(err)
		}
		return n, addr
	}
	at := func(id catalog.PeerID, addr string) catalog.Command {
		return catalog.Command{RegisterPeer: &catalog.Peer{ID: id, Name: addr, PeerAddr: addr}}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	one, addrOne := open(1)
	check(one.Bootstrap(ctx))
	_, err := one.Propose(ctx, at(1, addrOne))
	check(err)
	two, addrTwo := open(2)
	check(one.AddVoter(ctx, 2, addrTwo))
	_, err = one.Propose(ctx, at(2, addrTwo))
	check(err)
	check(one.Close())
	check(one.Close())

	one, addrOne = open(1) // at another port: 2 finds it only once it is told
	state, changed := two.Watch()
	for state.Peers[2] == nil {
		<-changed
		state, changed = two.Watch()
	}
	for !one.IsLeader() && !two.IsLeader() {
		_, waitOne := one.WatchLeader()
		_, waitTwo := two.WatchLeader()
		select {
		case <-waitOne:
		case <-waitTwo:
		case <-ctx.Done():
			t.Fatal("nobody leads")
		}
	}
	check(one.Close())
	check(two.Close())
	if _, err := one.Propose(ctx, at(1, addrOne)); err == nil {
		t.Error("a closed node made a change")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, transport := raft.NewInmemTransport("")
	for name, opts := range map[string]consensus.Options{
		"no dir":       {Self: 1, Address: "a:1", Transport: transport},
		"no self":      {Dir: t.TempDir(), Address: "a:1", Transport: transport},
		"no address":   {Dir: t.TempDir(), Self: 1, Transport: transport},
		"no transport": {Dir: t.TempDir(), Self: 1, Address: "a:1"},
	} {
		if n, err := consensus.Open(opts); err == nil {
			t.Errorf("%s: opened", name)
			_ = n.Close()
		}
	}
}

func TestAFileInPlaceOfTheDirectoryIsAnError(t *testing.T) {
	_, transport := raft.NewInmemTransport("")
	if _, err := consensus.Open(consensus.Options{Dir: "/dev/null/x", Self: 1, Address: "a:1", Transport: transport}); err == nil {
		t.Error("opened")
	}
}
