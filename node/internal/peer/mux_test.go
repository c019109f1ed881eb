package peer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

func newMux(t *testing.T, n *network, addr string, self catalog.PeerID, m *peer.Membership, target func(string) catalog.PeerID) *peer.Mux {
	t.Helper()
	mux, err := peer.NewMux(peer.MuxOptions{Listener: n.listen(addr), Dial: n.dial, Self: self, Membership: m, Target: target})
	check(t, err)
	return mux
}

func accept(l net.Listener) <-chan net.Conn {
	conns := make(chan net.Conn, 1)
	go func() {
		defer close(conns)
		if conn, err := l.Accept(); err == nil {
			conns <- conn
		}
	}()
	return conns
}

// ended reports whether the other side closed conn.
func ended(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, err := conn.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}

func TestMuxHandsRaftStreamOverWithoutPreface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := newMux(t, n, "a:1", 1, peer.NewMembership("c", nil), func(addr string) catalog.PeerID { return 2 })
		b := newMux(t, n, "b:1", 2, peer.NewMembership("c", nil), nil)
		defer func() { check(t, a.Close()); check(t, b.Close()) }()
		accepted := accept(b.Raft())
		conn, err := a.Raft().Dial("b:1", time.Second)
		check(t, err)
		defer conn.Close()
		_, err = conn.Write([]byte("raft says hello"))
		check(t, err)
		in := <-accepted
		defer in.Close()
		buf := make([]byte, 15)
		if _, err := io.ReadFull(in, buf); err != nil || string(buf) != "raft says hello" {
			t.Fatalf("got %q, %v", buf, err)
		}
		pass(time.Minute) // the preface's deadline no longer holds
		_, err = conn.Write([]byte("x"))
		check(t, err)
		if _, err := in.Read(buf); err != nil {
			t.Fatal(err)
		}
	})
}

func TestMuxRefusesForeignRaftStreams(t *testing.T) {
	preface := func(version byte, cluster string, target uint64) []byte {
		b := append([]byte{'R', version, byte(len(cluster))}, cluster...)
		return binary.BigEndian.AppendUint64(b, target)
	}
	for name, bytes := range map[string][]byte{
		"another cluster":          preface(1, "other", 2),
		"no cluster":               preface(1, "", 2),
		"another peer":             preface(1, "c", 3),
		"an unknown version":       preface(2, "c", 2),
		"neither Raft nor gRPC":    []byte("GET / HTTP/1.1\r\n"),
		"TLS":                      {0x16, 3, 1},
		"cut in the middle, quiet": preface(1, "c", 2)[:5],
		"nothing":                  {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				mux := newMux(t, n, "b:1", 2, peer.NewMembership("c", nil), nil)
				raftConns, grpcConns := accept(mux.Raft()), accept(mux.GRPC())
				conn, err := n.dial(context.Background(), "b:1")
				check(t, err)
				defer conn.Close()
				if len(bytes) > 0 {
					_, err = conn.Write(bytes)
					check(t, err)
				}
				if !ended(conn) {
					t.Error("the connection stays open")
				}
				check(t, mux.Close())
				if c := <-raftConns; c != nil {
					t.Error("Raft got the connection")
				}
				if c := <-grpcConns; c != nil {
					t.Error("gRPC got the connection")
				}
			})
		})
	}
}

func TestMuxWithoutClusterAdoptsTheFirstAndRefusesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		kept := ""
		m := peer.NewMembership("", func(id string) error { kept = id; return nil })
		mux := newMux(t, n, "b:1", 2, m, nil)
		first := newMux(t, n, "a:1", 1, peer.NewMembership("c", nil), nil)
		other := newMux(t, n, "x:1", 9, peer.NewMembership("other", nil), nil)
		defer func() { check(t, mux.Close()); check(t, first.Close()); check(t, other.Close()) }()

		accepted := accept(mux.Raft())
		conn, err := first.Raft().Dial("b:1", time.Second)
		check(t, err)
		defer conn.Close()
		in := <-accepted
		defer in.Close()
		if m.ID() != "c" || kept != "c" {
			t.Fatalf("adopted %q, kept %q", m.ID(), kept)
		}
		conn2, err := other.Raft().Dial("b:1", time.Second)
		check(t, err)
		defer conn2.Close()
		if !ended(conn2) {
			t.Error("a stream of another cluster stays open")
		}
	})
}

func TestMembershipIsNotAdoptedUnlessKept(t *testing.T) {
	m := peer.NewMembership("", func(string) error { return errors.New("disk full") })
	if err := m.Adopt("c"); err == nil || m.ID() != "" {
		t.Fatalf("adopted %q, error %v", m.ID(), err)
	}
	m = peer.NewMembership("c", nil)
	check(t, m.Adopt("c"))
	if err := m.Adopt("d"); !fault.Is(err, fault.FailedPrecondition) {
		t.Errorf("another cluster: %v", err)
	}
	if err := m.Adopt(""); !fault.Is(err, fault.Invalid) {
		t.Errorf("no cluster: %v", err)
	}
}

func TestMuxCloseEndsUndecidedConnectionsAndListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		mux := newMux(t, n, "b:1", 2, peer.NewMembership("c", nil), nil)
		conn, err := n.dial(context.Background(), "b:1")
		check(t, err)
		defer conn.Close()
		synctest.Wait()
		start := time.Now()
		check(t, mux.Close())
		if time.Since(start) != 0 {
			t.Errorf("Close took %v", time.Since(start))
		}
		for _, l := range []net.Listener{mux.GRPC(), mux.Raft()} {
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Accept after Close: %v", err)
			}
		}
	})
}

// Real Raft over the Mux: three servers elect a leader and commit, beside gRPC on the same listeners.
func TestMuxCarriesRaftBesideGRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		meta := newMetadata("c", info(1), info(2), info(3))
		var rafts []*raft.Raft
		var config raft.Configuration
		var closers []func()
		for i := 1; i <= 3; i++ {
			config.Servers = append(config.Servers, raft.Server{ID: raft.ServerID(info(i).Name), Address: raft.ServerAddress(info(i).PeerAddr)})
		}
		for i := 1; i <= 3; i++ {
			node := newNode(info(i), "c", meta).start(t, n)
			trans := raft.NewNetworkTransport(node.mux.Raft(), 3, time.Second, io.Discard)
			store := raft.NewInmemStore()
			snaps := raft.NewInmemSnapshotStore()
			conf := raft.DefaultConfig()
			conf.LocalID, conf.LogOutput = raft.ServerID(info(i).Name), io.Discard
			check(t, raft.BootstrapCluster(conf, store, store, snaps, trans, config))
			r, err := raft.NewRaft(conf, &raft.MockFSM{}, store, store, snaps, trans)
			check(t, err)
			rafts = append(rafts, r)
			closers = append(closers, func() { check(t, r.Shutdown().Error()); check(t, trans.Close()); node.stop() })
		}
		defer func() {
			for _, c := range closers {
				c()
			}
		}()
		pass(10 * time.Second)
		leaders := 0
		for _, r := range rafts {
			if r.State() == raft.Leader {
				leaders++
				check(t, r.Apply([]byte("x"), time.Second).Error())
			}
		}
		if leaders != 1 {
			t.Fatalf("%d leaders", leaders)
		}
	})
}
