package peer_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

func TestWishesForPromotionReachWhoeverLeads(t *testing.T) {
	pair(t, func(t *testing.T, n *network, a, b *node) {
		var leader atomic.Uint64
		p, err := peer.NewPromoter(peer.PromoterOptions{
			Self: 1, Local: a.wants, Pool: a.pool,
			Leader: func() (catalog.PeerID, string) { return catalog.PeerID(leader.Load()), "" },
		})
		check(t, err)
		defer p.Close()
		other := catalog.ShardRef{Collection: 5, Shard: 4}

		p.WantPromotion(ref, 3)
		p.WantPromotion(ref, 4) // replaces the first
		p.WantPromotion(ref, 2) // is older
		p.WantPromotion(other, 1)
		pass(10 * time.Second)
		if len(a.wants)+len(b.wants) != 0 {
			t.Fatal("somebody heard though nobody leads")
		}
		leader.Store(2)
		pass(2 * time.Second)
		got := map[catalog.ShardRef]uint64{}
		for range 2 {
			w := <-b.wants
			if got[w.ref] = w.term; w.from != 1 {
				t.Errorf("from %d", w.from)
			}
		}
		if got[ref] != 4 || got[other] != 1 || len(b.wants) != 0 {
			t.Errorf("the leader heard %v", got)
		}
		n.setCut(b.peer.PeerAddr, true)
		a.pool.Reset(2)
		p.WantPromotion(ref, 5)
		pass(5 * time.Second)
		leader.Store(1)
		pass(5 * time.Second)
		synctest.Wait()
		if w := <-a.wants; w != (want{1, ref, 5}) {
			t.Errorf("this node leads and heard %+v", w)
		}
	})
}
