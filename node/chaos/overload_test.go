//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// What the nodes of the overloaded cluster may take, and what the clients ask of them: far more.
const (
	overMemory   = 1200 // MiB
	overRequests = 256  // MiB
	overClients  = 48
	overBody     = 3 << 20
	overFor      = 12 * time.Second
)

// TestTooMuchWorkIsRefusedAndMemoryStaysBounded lets many clients send large requests all at once, while one node stands still: the
// others take what they can and refuse the rest with a hint, what is small goes on, and no process takes more memory than it may.
func TestTooMuchWorkIsRefusedAndMemoryStaysBounded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	bin, nodes := build(t), newNodes(t, 3)
	for _, n := range nodes {
		n.flags = append(n.flags, "--memory-limit", fmt.Sprint(overMemory), "--request-memory", fmt.Sprint(overRequests), "--max-requests", "32", "--max-waiting", "64")
		must(t, n.start(bin))
	}
	allReady(ctx, t, nodes)
	const name = "flooded"
	must(t, create(ctx, nodes[0], name, 1, 3, 2))
	eventually(ctx, t, "the collection is there", func() error { return whole(ctx, nodes[0], name) })
	must(t, upsert(ctx, nodes[0], name, 1, map[string]any{"v": int64(1)}))
	stopped, busy := bystander(ctx, t, nodes, name)

	peak := watchMemory(t, nodes)
	loading, stop := context.WithTimeout(ctx, overFor)
	defer stop()
	var taken, refused, late atomic.Int64
	var clients sync.WaitGroup
	for i := range overClients {
		clients.Go(func() { flood(loading, t, busy[i%2], name, i, &taken, &refused, &late) })
	}
	var reads figureOfReads
	clients.Go(func() { reads.run(loading, busy[0], name) })
	rest(ctx, overFor/4)
	must(t, stopped.signal(syscall.SIGSTOP))
	clients.Wait()
	must(t, stopped.signal(syscall.SIGCONT))
	t.Logf("%d large requests taken, %d refused, %d too late; %d small reads, p50 %s, p99 %s, %d failed; memory at most %v MiB", taken.Load(), refused.Load(), late.Load(),
		len(reads.took), quantile(reads.took, 0.5), quantile(reads.took, 0.99), reads.failed, peak())
	if taken.Load() < 10 || refused.Load() == 0 {
		t.Errorf("%d requests were taken and %d refused: want some of both", taken.Load(), refused.Load())
	}
	for i, mib := range peak() {
		if mib > overMemory+overRequests {
			t.Errorf("%s took %d MiB of memory, of %d that it may", nodes[i].name, mib, overMemory)
		}
	}
	if len(reads.took) < 20 || reads.failed > len(reads.took)/10 || quantile(reads.took, 0.5) > time.Second {
		t.Errorf("small reads suffered: %d answered, %d failed, p50 %s", len(reads.took), reads.failed, quantile(reads.took, 0.5))
	}
	eventually(ctx, t, "the cluster is whole again", func() error { return whole(ctx, nodes[0], name) })
	if t.Failed() {
		keepLogs(t, nodes)
	}
}

// bystander returns a node that does not lead the only shard of a collection, and the others.
func bystander(ctx context.Context, t *testing.T, nodes []*node, name string) (stopped *node, others []*node) {
	t.Helper()
	cluster := clusterpb.NewClusterClient(nodes[0].dial())
	placement, err := cluster.GetPlacement(ctx, &clusterpb.GetPlacementRequest{Collections: []string{name}})
	must(t, err)
	members, err := cluster.GetCluster(ctx, &clusterpb.GetClusterRequest{})
	must(t, err)
	for _, p := range members.GetPeers() {
		i := slices.IndexFunc(nodes, func(n *node) bool { return n.name == p.GetName() })
		if stopped == nil && p.GetId() != placement.GetCollections()[0].GetShards()[0].GetPrimary() && !p.GetLeader() {
			stopped = nodes[i]
		} else {
			others = append(others, nodes[i])
		}
	}
	return stopped, others
}

// flood sends large requests over a connection of its own, one after the other.
func flood(ctx context.Context, t *testing.T, n *node, name string, client int, taken, refused, late *atomic.Int64) {
	conn, err := grpc.NewClient("passthrough:///"+n.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	points, wait := largePoints(client), true
	for ctx.Err() == nil {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		var trailer metadata.MD
		_, err := qdrant.NewPointsClient(conn).Upsert(bounded, &qdrant.UpsertPoints{CollectionName: name, Wait: &wait, Points: points}, grpc.Trailer(&trailer))
		cancel()
		switch status.Code(err) {
		case codes.OK:
			taken.Add(1)
		case codes.ResourceExhausted:
			refused.Add(1)
			if !hinted(err) || len(trailer.Get("retry-after")) != 1 {
				t.Errorf("refused without a hint when to come again: %v, trailer %v", err, trailer)
			}
		case codes.DeadlineExceeded:
			late.Add(1)
		default:
			t.Errorf("a large request: %v", err)
		}
	}
}

func hinted(err error) bool {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok && info.GetRetryDelay().AsDuration() > 0 {
			return true
		}
	}
	return false
}

// largePoints are points that make one large request; a client replaces its own over and over.
func largePoints(client int) []*qdrant.PointStruct {
	const each = 64 << 10
	text := strings.Repeat("x", each)
	var points []*qdrant.PointStruct
	for i := range overBody / each {
		id := uint64(client)<<20 | uint64(i) | 1<<40
		points = append(points, &qdrant.PointStruct{
			Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsDense(make([]float32, dimension)), Payload: qdrant.NewValueMap(map[string]any{"id": int64(id), "text": text}),
		})
	}
	return points
}

// figureOfReads is what became of small reads.
type figureOfReads struct {
	took   []time.Duration
	failed int
}

func (f *figureOfReads) run(ctx context.Context, n *node, name string) {
	every(ctx, 50*time.Millisecond, func() {
		began := time.Now()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := get(bounded, n, name, 1); err != nil {
			f.failed++
			return
		}
		f.took = append(f.took, time.Since(began))
	})
}

// watchMemory samples what the nodes' processes take of memory that is their own, and returns what tells the most so far, in MiB.
func watchMemory(t *testing.T, nodes []*node) (peak func() []int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var mu sync.Mutex
	most := make([]int, len(nodes))
	wg.Go(func() {
		every(ctx, 20*time.Millisecond, func() {
			for i, n := range nodes {
				mib := ownMemory(n.process.cmd.Process.Pid) >> 20
				mu.Lock()
				most[i] = max(most[i], mib)
				mu.Unlock()
			}
		})
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return func() []int {
		mu.Lock()
		defer mu.Unlock()
		return append([]int(nil), most...)
	}
}

// ownMemory returns the resident bytes of a process that are no file's.
func ownMemory(pid int) int {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			return kib << 10
		}
	}
	return 0
}
