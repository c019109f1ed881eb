package peer_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

func seek(n *network, m *peer.Membership, self catalog.Peer, addrs ...string) peer.SeekOptions {
	return peer.SeekOptions{Addresses: addrs, Self: self, Membership: m, Dial: n.dial}
}

func TestJoinTriesEveryAddressUntilOneAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := newNode(info(1), "c", newMetadata("c", info(1)))
		calls := 0
		a.joiner = func(_ context.Context, p catalog.Peer, forwarded bool) (peer.JoinAnswer, error) {
			if calls++; calls < 3 {
				return peer.JoinAnswer{}, fault.New(fault.Unavailable, "no leader yet")
			}
			if !p.Says(info(2)) || forwarded {
				t.Errorf("asked for %+v, forwarded %v", p, forwarded)
			}
			return peer.JoinAnswer{ClusterID: "c", Peers: []catalog.Peer{info(1), info(2)}}, nil
		}
		go func() {
			pass(5 * time.Second) // the member starts later than who wants to join
			a.start(t, n)
		}()
		kept := ""
		m := peer.NewMembership("", func(id string) error { kept = id; return nil })
		answer, err := peer.Join(context.Background(), seek(n, m, info(2), "nobody:1", info(2).PeerAddr, info(1).PeerAddr))
		if err != nil || answer.ClusterID != "c" || len(answer.Peers) != 2 || kept != "c" {
			t.Errorf("got %+v, %v, kept %q", answer, err, kept)
		}
		a.stop()
	})
}

func TestJoinEndsAtOnceWhenAskingAgainCannotHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := newNode(info(1), "c", newMetadata("c", info(1))).start(t, n)
		defer a.stop()
		a.joiner = func(context.Context, catalog.Peer, bool) (peer.JoinAnswer, error) {
			return peer.JoinAnswer{}, fault.New(fault.Exists, "the name is taken")
		}
		start := time.Now()
		_, err := peer.Join(context.Background(), seek(n, peer.NewMembership("", nil), info(2), info(1).PeerAddr))
		if !fault.Is(err, fault.Exists) || time.Since(start) > 0 {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestJoinGivesUpWithItsContextAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err := peer.Join(ctx, seek(newNetwork(), peer.NewMembership("", nil), info(2), "nobody:1"))
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "nobody:1") || !strings.Contains(err.Error(), "refused") {
			t.Errorf("got %v", err)
		}
		_, err = peer.Join(context.Background(), seek(newNetwork(), peer.NewMembership("", nil), info(2), info(2).PeerAddr))
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("only its own address: %v", err)
		}
	})
}

func TestNodesThatStartAlikeChooseOneFounder(t *testing.T) {
	for name, own := range map[string]bool{"own address listed": true, "own address left out": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				parts := make([]peer.Part, 4)
				var wg sync.WaitGroup
				var nodes []*node
				for i := 3; i >= 1; i-- {
					node := newNode(info(i), "", newMetadata(""))
					node.expect = 3
					node.start(t, n)
					nodes = append(nodes, node)
					var addrs []string
					for j := 1; j <= 3; j++ {
						if j != i || own {
							addrs = append(addrs, info(j).PeerAddr)
						}
					}
					wg.Go(func() {
						part, err := peer.Form(context.Background(), seek(n, node.membership, node.peer, addrs...), 3)
						if err != nil {
							t.Errorf("node %d: %v", i, err)
						}
						parts[i] = part
						if part == peer.FoundCluster {
							_ = node.membership.Adopt("c")
						}
					})
					pass(10 * time.Second) // they start one after the other
				}
				wg.Wait()
				if parts[1] != peer.FoundCluster || parts[2] != peer.JoinCluster || parts[3] != peer.JoinCluster {
					t.Errorf("parts %v: the lowest id founds", parts[1:])
				}
				for _, node := range nodes {
					node.stop()
				}
			})
		})
	}
}

func TestFormWaitsForEveryNodeButJoinsAMemberAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		first := newNode(info(1), "", newMetadata(""))
		first.expect = 3
		first.start(t, n)
		second := newNode(info(2), "", newMetadata(""))
		second.expect = 3
		second.start(t, n)
		defer func() { first.stop(); second.stop() }()
		addrs := []string{info(1).PeerAddr, info(2).PeerAddr, info(3).PeerAddr}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := peer.Form(ctx, seek(n, first.membership, first.peer, addrs...), 3); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("formed without the third: %v", err)
		}
		check(t, second.membership.Adopt("c"))
		part, err := peer.Form(context.Background(), seek(n, first.membership, first.peer, addrs...), 3)
		if err != nil || part != peer.JoinCluster {
			t.Errorf("a member is there: %v, %v", part, err)
		}
	})
}

func TestFormRefusesWhatNodesCouldUnderstandDifferently(t *testing.T) {
	for name, c := range map[string]struct {
		expect  int
		addrs   []string
		prepare func(other *node)
		want    string
	}{
		"too few addresses":         {3, []string{info(1).PeerAddr}, nil, "exactly these 3 nodes"},
		"too many":                  {2, []string{"a:1", "b:1", "c:1"}, nil, "exactly these 2 nodes"},
		"twice":                     {2, []string{"a:1", "a:1"}, nil, "twice"},
		"none expected":             {0, []string{"a:1"}, nil, "at least 1"},
		"another number":            {2, []string{info(2).PeerAddr}, func(o *node) { o.expect = 3 }, "must agree"},
		"same name":                 {2, []string{info(2).PeerAddr}, func(o *node) { o.peer.Name = "node-1" }, "names must differ"},
		"two addresses of one node": {3, []string{info(2).PeerAddr, "alias:1"}, func(o *node) { o.expect = 3 }, "belong to 2 nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork()
				other := newNode(info(2), "", newMetadata(""))
				other.expect = uint32(c.expect)
				if c.prepare != nil {
					c.prepare(other)
				}
				other.start(t, n)
				defer other.stop()
				n.mu.Lock()
				n.mu.listeners["alias:1"] = n.mu.listeners[other.peer.PeerAddr]
				n.mu.Unlock()
				_, err := peer.Form(context.Background(), seek(n, peer.NewMembership("", nil), info(1), c.addrs...), c.expect)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		})
	}
}
