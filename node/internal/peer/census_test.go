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
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// counted is a cluster whose replicas are counted.
type counted struct {
	sync.Mutex
	state *catalog.State
	led   chan struct{}
	here  bool
	bytes map[catalog.PeerID][]replica.Status
	asked int
}

func (c *counted) Watch() (*catalog.State, <-chan struct{}) { return c.state, nil }
func (c *counted) Alive(catalog.PeerID) bool                { return true }

func (c *counted) leading() (term uint64, here bool, changed <-chan struct{}) {
	c.Lock()
	defer c.Unlock()
	return 1, c.here, c.led
}

func (c *counted) Status(_ context.Context, to catalog.PeerID, _ []catalog.ShardRef) ([]replica.Status, error) {
	c.Lock()
	defer c.Unlock()
	c.asked++
	if all, ok := c.bytes[to]; ok {
		return all, nil
	}
	return nil, fault.New(fault.Unavailable, "no answer")
}

func TestTheLeaderCountsHowLargeTheShardsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := catalog.Empty()
		for id := range catalog.PeerID(3) {
			s.Peers[id+1] = &catalog.Peer{ID: id + 1, Name: "n"}
		}
		s.Collections[1] = &catalog.Collection{ID: 1, Shards: []*catalog.Shard{{ID: 0}, {ID: 1}}}
		ref := func(i catalog.ShardID) catalog.ShardRef { return catalog.ShardRef{Collection: 1, Shard: i} }
		c := &counted{state: s, led: make(chan struct{}), bytes: map[catalog.PeerID][]replica.Status{
			1: {{Ref: ref(0), Bytes: 5}}, 2: {{Ref: ref(0), Bytes: 7}, {Ref: ref(1), Bytes: 9}, {Ref: catalog.ShardRef{Collection: 8}, Bytes: 1}},
		}}
		census, err := peer.NewCensus(peer.CensusOptions{
			Self: 1, Metadata: c, Leading: c.leading, Liveness: c, Remote: c,
			Local: func([]catalog.ShardRef) []replica.Status { return c.bytes[1] },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer census.Close()
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		if c.asked != 0 || len(census.Bytes()) != 0 {
			t.Fatalf("a node that does not lead has asked %d times", c.asked)
		}
		c.Lock()
		c.here = true
		close(c.led)
		c.led = make(chan struct{})
		c.Unlock()
		synctest.Wait()
		if b := census.Bytes(); len(b) != 2 || b[ref(0)] != 7 || b[ref(1)] != 9 {
			t.Fatalf("counted %v", b)
		}
		c.Lock()
		delete(c.bytes, 2) // it does not answer any more: what it said is remembered
		c.bytes[1] = []replica.Status{{Ref: ref(0), Bytes: 6}}
		c.Unlock()
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		if b := census.Bytes(); len(b) != 2 || b[ref(0)] != 6 || b[ref(1)] != 9 {
			t.Fatalf("counted %v", b)
		}
	})
}
