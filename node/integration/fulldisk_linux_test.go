package integration_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disktest"
)

// filler is somebody else on the disk.
type filler struct {
	name string
	stop chan struct{}
	wg   sync.WaitGroup
}

// fillUp takes every byte that there is.
func fillUp(t *testing.T, dir string) *filler {
	t.Helper()
	f := &filler{name: filepath.Join(dir, "somebody-elses"), stop: make(chan struct{})}
	if err := disktest.FillUp(f.name); err != nil {
		t.Fatal(err)
	}
	return f
}

// goOn takes every byte that comes free, also of what the node gives up for itself.
func (f *filler) goOn() {
	f.wg.Go(func() {
		for {
			_ = disktest.FillUp(f.name)
			select {
			case <-f.stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
}

func (f *filler) leave(t *testing.T) {
	t.Helper()
	close(f.stop)
	f.wg.Wait()
	if err := os.Remove(f.name); err != nil {
		t.Error(err)
	}
}

// diskWriter upserts points, one after the other, until it is stopped, and remembers what was acknowledged.
type diskWriter struct {
	client     *qdrant.Client
	collection string
	text       string // in every payload, so that a disk fills
	next       uint64
	mu         sync.Mutex
	sure       map[uint64]bool
	written    atomic.Int64
	refused    atomic.Int64
	other      atomic.Int64
	last       atomic.Value // what a refusal said
	failed     atomic.Value // what another error said
	slowest    atomic.Int64 // ns
	stop       chan struct{}
	wg         sync.WaitGroup
}

func newDiskWriter(t *testing.T, endpoint, collection string, bytes int) *diskWriter {
	random := make([]byte, bytes/2)
	_, _ = rand.Read(random)
	w := &diskWriter{client: officialAt(t, endpoint), collection: collection, text: hex.EncodeToString(random), sure: map[uint64]bool{}}
	return w
}

func (w *diskWriter) upsert(ctx context.Context, id uint64) error {
	_, err := w.client.Upsert(ctx, &qdrant.UpsertPoints{
		CollectionName: w.collection, Wait: qdrant.PtrOf(true), Points: []*qdrant.PointStruct{{
			Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectors(float32(id), 0, 0, 1),
			Payload: qdrant.NewValueMap(map[string]any{"n": int64(id), "text": w.text}),
		}},
	})
	return err
}

func (w *diskWriter) start(t *testing.T) {
	w.stop = make(chan struct{})
	w.wg.Go(func() {
		for {
			select {
			case <-w.stop:
				return
			default:
			}
			w.next++
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			err := w.upsert(ctx, w.next)
			cancel()
			var exhausted *qdrant.QdrantResourceExhaustedError
			switch code := status.Code(err); {
			case err == nil:
				w.written.Add(1)
				w.mu.Lock()
				w.sure[w.next] = true
				w.mu.Unlock()
				w.slowest.Store(max(w.slowest.Load(), int64(time.Since(begun))))
			case code == codes.ResourceExhausted, errors.As(err, &exhausted):
				w.refused.Add(1)
				w.last.Store(err.Error())
			case code == codes.FailedPrecondition: // a replica is on its way back
			default:
				w.other.Add(1)
				w.failed.Store(err.Error())
			}
			if err != nil {
				select {
				case <-w.stop:
				case <-time.After(10 * time.Millisecond):
				}
			}
		}
	})
}

func (w *diskWriter) end() {
	close(w.stop)
	w.wg.Wait()
}

// grows waits until more writes are acknowledged.
func (w *diskWriter) grows(t *testing.T, by int64) {
	t.Helper()
	goal := w.written.Load() + by
	w.until(t, fmt.Sprintf("%d writes are taken", goal), func() bool { return w.written.Load() >= goal })
}

// fills waits until writes are refused.
func (w *diskWriter) fills(t *testing.T) {
	t.Helper()
	w.until(t, "writes are refused", func() bool { return w.refused.Load() >= 5 })
}

// until waits for as long as writes go on, however slow the machine is.
func (w *diskWriter) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for written, since := int64(-1), time.Now(); !ok(); <-time.After(20 * time.Millisecond) {
		if n := w.written.Load(); n > written {
			written, since = n, time.Now()
		}
		if time.Since(since) > 30*time.Second {
			t.Fatalf("waited in vain until %s to %s: %d are, %d refused, %d others: %v, %v",
				what, w.collection, written, w.refused.Load(), w.other.Load(), w.last.Load(), w.failed.Load())
		}
	}
}

// complete demands every acknowledged point of a node.
func (w *diskWriter) complete(t *testing.T, endpoint string) {
	t.Helper()
	client := officialAt(t, endpoint)
	have := map[uint64]bool{}
	for from := uint64(1); from <= w.next; from += 500 {
		var ids []*qdrant.PointId
		for id := from; id < from+500; id++ {
			ids = append(ids, qdrant.NewIDNum(id))
		}
		points, err := client.Get(t.Context(), &qdrant.GetPoints{CollectionName: w.collection, Ids: ids})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			have[p.GetId().GetNum()] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.sure {
		if !have[id] {
			t.Errorf("point %d of %s was acknowledged and is not on %s", id, w.collection, endpoint)
		}
	}
}

// some returns some acknowledged points.
func (w *diskWriter) some(n int) []*qdrant.PointId {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []*qdrant.PointId
	for id := range w.sure {
		if len(ids) < n {
			ids = append(ids, qdrant.NewIDNum(id))
		}
	}
	return ids
}

func (w *diskWriter) remove(ctx context.Context, id uint64) error {
	w.mu.Lock()
	delete(w.sure, id)
	w.mu.Unlock()
	_, err := w.client.Delete(ctx, &qdrant.DeletePoints{
		CollectionName: w.collection, Wait: qdrant.PtrOf(true), Points: qdrant.NewPointsSelector(qdrant.NewIDNum(id)),
	})
	return err
}

// Somebody else fills the disk of one of three nodes to the last byte while clients write.
func TestANodeOutlivesAFullDisk(t *testing.T) {
	small := disktest.Small(t, 256)
	nodes := processes(t, t.TempDir(), t.TempDir(), small)
	client := officialAt(t, nodes[0].opts.GRPCAddr)
	create(t, client, "all", 2, 3, 3)
	create(t, client, "most", 2, 3, 2)
	all, most := newDiskWriter(t, nodes[0].opts.GRPCAddr, "all", 4000), newDiskWriter(t, nodes[1].opts.GRPCAddr, "most", 4000)
	service := serviceAt(t, nodes[0].opts.GRPCAddr)
	placed(t, service, "all", 3)
	placed(t, service, "most", 3)
	all.start(t)
	most.start(t)
	all.grows(t, 200)
	most.grows(t, 200)

	somebody := fillUp(t, small)
	eventually(t, "writes that need all disks are refused", func(context.Context) error {
		if all.refused.Load() == 0 {
			return fmt.Errorf("%d written, %d others, last %v", all.written.Load(), all.other.Load(), all.last.Load())
		}
		return nil
	})
	if text := fmt.Sprint(all.last.Load()); !strings.Contains(text, "is full") || !strings.Contains(text, "node-3") || !strings.Contains(text, "Delete points") {
		t.Errorf("a refusal does not say enough: %s", text)
	}
	most.slowest.Store(0)
	most.grows(t, 500)
	if slowest := time.Duration(most.slowest.Load()); slowest > 5*time.Second {
		t.Errorf("the full disk held up a write for %s", slowest)
	}
	before := all.written.Load()
	full := officialAt(t, nodes[2].opts.GRPCAddr)
	ids := all.some(40)
	for _, id := range ids[:20] {
		eventually(t, "a delete is done on a full disk", func(ctx context.Context) error { return all.remove(ctx, id.GetNum()) })
	}
	if points, err := full.Get(t.Context(), &qdrant.GetPoints{CollectionName: "all", Ids: ids}); err != nil || len(points) != 20 {
		t.Errorf("read through the node with the full disk: %d points, %v", len(points), err)
	}
	cluster, err := serviceAt(t, nodes[1].opts.GRPCAddr).GetCluster(t.Context(), &clusterpb.GetClusterRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if p := cluster.GetPeers()[2]; !strings.Contains(p.GetProblem(), "is full") || p.GetDiskTotalBytes() != 256<<20 || p.GetDiskFreeBytes() > 8<<20 {
		t.Errorf("the cluster shows %+v", p)
	}
	if all.written.Load() > before+1 {
		t.Errorf("%d writes were taken that need the full disk", all.written.Load()-before)
	}
	nodes[2].alive()

	somebody.goOn()
	most.grows(t, 500)
	nodes[2].alive()

	somebody.leave(t)
	all.grows(t, 200)
	most.grows(t, 200)
	all.end()
	most.end()
	nodes[2].alive()
	if n := all.other.Load() + most.other.Load(); n > 5 { // what was under way when the disk filled
		t.Errorf("%d writes came to something else than done or refused: %v, %v", n, all.failed.Load(), most.failed.Load())
	}
	for _, w := range []*diskWriter{all, most} {
		placed(t, service, w.collection, 3)
		for _, n := range nodes {
			w.complete(t, n.opts.GRPCAddr)
		}
	}
	for _, n := range nodes {
		if err := n.stop(); err != nil {
			t.Errorf("%s: %v", n.opts.Name, err)
		}
	}
}

// A node that fills its disk by itself takes writes again after points were deleted.
func TestDeletingGivesRoomBack(t *testing.T) {
	nodes := processes(t, disktest.Small(t, 160))
	create(t, officialAt(t, nodes[0].opts.GRPCAddr), "c", 1, 1, 1)
	w := newDiskWriter(t, nodes[0].opts.GRPCAddr, "c", 64000)
	w.start(t)
	w.fills(t)
	w.end()
	w.complete(t, nodes[0].opts.GRPCAddr)
	for id := range w.next + 1 {
		if err := w.remove(t.Context(), id); err != nil {
			t.Fatalf("delete on a full disk: %v", err)
		}
	}
	w.start(t)
	w.grows(t, 50)
	w.end()
	w.complete(t, nodes[0].opts.GRPCAddr)
	nodes[0].alive()
	if err := nodes[0].stop(); err != nil {
		t.Error(err)
	}
}
