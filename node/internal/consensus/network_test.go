package consensus_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

// tcp is the plainest stream layer; it counts the connections that are open.
type tcp struct {
	net.Listener
	open *atomic.Int64
}

func (l tcp) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return l.count(net.DialTimeout("tcp", string(addr), timeout))
}

func (l tcp) Accept() (net.Conn, error) { return l.count(l.Listener.Accept()) }

func (l tcp) count(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &counted{Conn: c, open: l.open}, nil
}

type counted struct {
	net.Conn
	open *atomic.Int64
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// TestNodesOverSocketsLeaveNothingBehind runs two nodes over real sockets; one closes while the other still holds
// connections to it, and comes back elsewhere.
func TestNodesOverSocketsLeaveNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stores := map[catalog.PeerID]*kv.Store{}
	for id := range catalog.PeerID(3) {
		stores[id] = openStore(t, vfs.NewMem())
		defer stores[id].Close()
	}
	var conns [3]atomic.Int64 // by peer
	open := func(id catalog.PeerID) (*consensus.Node, string) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		n, err := consensus.Open(consensus.Options{Store: stores[id], Self: id, Address: addr, Layer: tcp{l, &conns[id]}})
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
	if conns[2].Load() == 0 {
		t.Error("the nodes never met again")
	}
	check(two.Close()) // while the other one holds connections to it
	if n := conns[2].Load(); n != 0 {
		t.Errorf("%d connections are open after Close", n)
	}
	check(one.Close())
	if _, err := one.Propose(ctx, at(1, addrOne)); err == nil {
		t.Error("a closed node made a change")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, transport := raft.NewInmemTransport("")
	store := openStore(t, vfs.NewMem())
	defer store.Close()
	for name, opts := range map[string]consensus.Options{
		"no store":     {Self: 1, Address: "a:1", Transport: transport},
		"no self":      {Store: store, Address: "a:1", Transport: transport},
		"no address":   {Store: store, Self: 1, Transport: transport},
		"no transport": {Store: store, Self: 1, Address: "a:1"},
	} {
		if n, err := consensus.Open(opts); err == nil {
			t.Errorf("%s: opened", name)
			_ = n.Close()
		}
	}
}
