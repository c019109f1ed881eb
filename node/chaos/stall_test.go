//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// stall is how long a process is stopped: less than what a failure detector may take for death, and long enough that one without
// patience would.
const stall = 700 * time.Millisecond

// TestAShortStallChangesNothing stops each node for a moment, under load: nobody is promoted, demoted or voted out of office but
// Raft's leader, when it is the one that is stopped.
func TestAShortStallChangesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	bin, nodes := build(t), newNodes(t, 3)
	for _, n := range nodes {
		must(t, n.start(bin))
	}
	allReady(ctx, t, nodes)
	c := newCollection("quorum", 2)
	c.create(ctx, t, nodes[0])
	eventually(ctx, t, "the collection is there", func() error { return whole(ctx, nodes[0], c.name) })
	changed := ""
	for range 3 { // on a busy machine a stall may be longer than it is meant to be
		if changed = stallAll(ctx, t, nodes, c); changed == "" {
			break
		}
		t.Log(changed)
		eventually(ctx, t, "the cluster is whole again", func() error { return whole(ctx, nodes[0], c.name) })
	}
	if changed != "" {
		t.Error(changed)
		keepLogs(t, nodes)
	}
	for _, n := range nodes {
		checkNothingMissing(ctx, t, c, n)
	}
}

// stallAll stops each node for a moment, twice, under load, and tells what changed.
func stallAll(ctx context.Context, t *testing.T, nodes []*node, c *collection) string {
	t.Helper()
	before := standing(ctx, t, nodes[0])
	loading, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { c.load(loading, nodes, i+1) })
	}
	for range 2 {
		for _, n := range nodes {
			must(t, n.signal(syscall.SIGSTOP))
			rest(ctx, stall)
			must(t, n.signal(syscall.SIGCONT))
			rest(ctx, 1500*time.Millisecond)
		}
	}
	stop()
	wg.Wait()
	if after := standing(ctx, t, nodes[0]); !maps.Equal(before, after) {
		return fmt.Sprintf("before %v\nafter  %v", before, after)
	}
	return ""
}

// standing is who leads each shard in which term, and who counts: its version tells of every change in between.
func standing(ctx context.Context, t *testing.T, n *node) map[string]string {
	t.Helper()
	got, err := clusterpb.NewClusterClient(n.dial()).GetPlacement(ctx, &clusterpb.GetPlacementRequest{})
	must(t, err)
	all := map[string]string{}
	for _, col := range got.GetCollections() {
		for _, s := range col.GetShards() {
			all[fmt.Sprintf("%s/%d", col.GetCollection(), s.GetShardId())] = fmt.Sprintf("version %d, term %d of %d", s.GetVersion(), s.GetTerm(), s.GetPrimary())
		}
	}
	return all
}
