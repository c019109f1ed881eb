package consensus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
)

// TestFollowersLearnOfACommitAtOnce has Raft itself say what is committed only with the next entry: there is none after the last change,
// and every node shows it all the same, whichever node it was proposed through.
func TestFollowersLearnOfACommitAtOnce(t *testing.T) {
	c := newCluster(t, 3, consensus.Options{Timing: consensus.Timing{Commit: time.Hour}})
	for id := catalog.PeerID(1); id <= 3; id++ {
		name := fmt.Sprint("c", id)
		ctx := c.within(10 * time.Second)
		c.must(c.nodes[id].Propose(ctx, declare(name)))
		for _, n := range c.nodes {
			shows(ctx, t, n, name)
		}
	}
}

// TestALaterLeaderAnnouncesAsWell lets another node lead.
func TestALaterLeaderAnnouncesAsWell(t *testing.T) {
	c := newCluster(t, 3, consensus.Options{Timing: consensus.Timing{Commit: time.Hour}})
	ctx := c.within(20 * time.Second)
	if err := c.nodes[1].Handover(ctx, func(catalog.PeerID) bool { return true }); err != nil {
		t.Fatal(err)
	}
	c.must(c.nodes[1].Propose(ctx, declare("later")))
	for _, n := range c.nodes {
		shows(ctx, t, n, "later")
	}
}

// shows waits until a node shows a collection.
func shows(ctx context.Context, t *testing.T, n *consensus.Node, name string) {
	t.Helper()
	for {
		state, changed := n.Watch()
		for _, col := range state.Collections {
			if col.Name == name {
				return
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("a node does not show collection %q", name)
		}
	}
}
