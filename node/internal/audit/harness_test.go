package audit_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/audit"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is one shard on several peers, as their auditors see it. Its log moves by itself.
type world struct {
	t     *testing.T
	start time.Time
	rate  float64 // entries a second; they stop at stops
	stops time.Duration
	mu    struct {
		sync.Mutex
		state    *catalog.State
		changed  chan struct{}
		copies   map[catalog.PeerID]*copyOf
		down     map[catalog.PeerID]bool
		auditors map[catalog.PeerID]*audit.Auditor
		moved    []catalog.PeerID
		asked    int
	}
}

// copyOf is one replica: its contents are its digest.
type copyOf struct {
	digest   uint64
	behind   time.Duration
	broken   error
	judged   string
	distrust int
}

func newWorld(t *testing.T, factor, w uint32, peers ...catalog.PeerID) *world {
	t.Helper()
	wd := &world{t: t, start: time.Now(), stops: time.Hour}
	wd.mu.state, wd.mu.changed = catalog.Empty(), make(chan struct{})
	wd.mu.copies, wd.mu.down, wd.mu.auditors = map[catalog.PeerID]*copyOf{}, map[catalog.PeerID]bool{}, map[catalog.PeerID]*audit.Auditor{}
	for _, id := range peers {
		wd.apply(catalog.Command{RegisterPeer: &catalog.Peer{ID: id, Name: fmt.Sprint("node-", id), GRPCAddr: "x:1", PeerAddr: fmt.Sprint("x:", 10+id), HTTPAddr: "x:2"}})
		wd.mu.copies[id] = &copyOf{digest: 7}
	}
	config, err := catalog.Config{
		Vectors: map[string]catalog.VectorParams{"": {Size: 2, Distance: vec.Dot}}, ShardNumber: 1, ReplicationFactor: factor, WriteConsistencyFactor: w,
	}.Normalized(len(peers))
	if err != nil {
		t.Fatal(err)
	}
	if r := wd.apply(catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "docs", Config: config, Placement: [][]catalog.PeerID{peers}}}); r.Err != nil {
		t.Fatal(r.Err)
	}
	return wd
}

var ref = catalog.ShardRef{Collection: 1}

func (w *world) apply(cmd catalog.Command) catalog.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, result := catalog.Apply(w.mu.state, cmd)
	if next != w.mu.state {
		w.mu.state = next
		close(w.mu.changed)
		w.mu.changed = make(chan struct{})
	}
	return result
}

func (w *world) shard() *catalog.Shard {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, sh, _ := w.mu.state.Shard(ref)
	return sh
}

// index is where a copy stands now.
func (w *world) index(c *copyOf) uint64 {
	since := min(time.Since(w.start)-c.behind, w.stops)
	return 100 + uint64(w.rate*max(since, 0).Seconds())
}

// node is the world as one peer's auditor reaches it.
type node struct {
	w  *world
	id catalog.PeerID
}

func (n node) Watch() (*catalog.State, <-chan struct{}) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return n.w.mu.state, n.w.mu.changed
}

func (n node) Propose(_ context.Context, cmds ...catalog.Command) ([]catalog.Result, error) {
	r := n.w.apply(cmds[0])
	return []catalog.Result{r}, r.Err
}

func (n node) Leader() (catalog.PeerID, string) { return 1, "" }

func (n node) Alive(id catalog.PeerID) bool {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return !n.w.mu.down[id]
}

func (n node) MovePrimary(_ catalog.ShardRef, from catalog.PeerID) {
	n.w.mu.Lock()
	n.w.mu.moved = append(n.w.mu.moved, from)
	n.w.mu.Unlock()
	sh := n.w.shard()
	if n.id == 1 && sh.Primary == from {
		for _, id := range sh.Active() {
			if id != from {
				n.w.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: sh.Version, Promote: &catalog.Promote{Term: sh.Term + 1, Candidate: id}}})
				return
			}
		}
	}
}

func (n node) DigestAt(ctx context.Context, r catalog.ShardRef, gen catalog.Generation, index, pace uint64) (replica.Digest, error) {
	return n.w.digest(ctx, n.id, gen, index)
}

// digest behaves as replica.Manager does: it waits for the index, and a reading takes a while.
func (w *world) digest(ctx context.Context, id catalog.PeerID, gen catalog.Generation, index uint64) (replica.Digest, error) {
	w.mu.Lock()
	w.mu.asked++
	c := w.mu.copies[id]
	_, sh, _ := w.mu.state.Shard(ref)
	w.mu.Unlock()
	if rep, _ := sh.Replica(id); rep.Generation != gen {
		return replica.Digest{}, fault.New(fault.StaleEpoch, "another generation")
	}
	<-time.After(2 * time.Millisecond) // the way here
	for waited := time.Duration(0); w.index(c) < index && waited < 2*time.Second; waited += time.Millisecond {
		<-time.After(time.Millisecond)
	}
	at := w.index(c)
	if c.broken != nil {
		return replica.Digest{Index: at}, c.broken
	}
	if at != index {
		return replica.Digest{Index: at}, nil
	}
	select {
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
		return replica.Digest{}, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return replica.Digest{Index: at, Exact: true, Digest: c.digest, Points: 3}, nil
}

func (n node) Judge(_ catalog.ShardRef, _ catalog.Generation, differs string) error {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.w.mu.copies[n.id].judged = differs
	return nil
}

// Distrust demotes at the third time of asking.
func (n node) Distrust(_ catalog.ShardRef, peer catalog.PeerID) error {
	sh := n.w.shard()
	n.w.mu.Lock()
	c := n.w.mu.copies[peer]
	c.distrust++
	enough := c.distrust >= 3
	n.w.mu.Unlock()
	if sh.Primary != n.id {
		return fault.New(fault.NotPrimary, "no")
	}
	if enough {
		n.w.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: sh.Version, Demote: &peer}})
	}
	return nil
}

// far is how one peer reaches the others.
type far struct{ w *world }

func (f far) DigestAt(ctx context.Context, to catalog.PeerID, _ catalog.ShardRef, gen catalog.Generation, index, pace uint64) (replica.Digest, error) {
	return f.w.digest(ctx, to, gen, index)
}

func (f far) Verdict(_ context.Context, to catalog.PeerID, r catalog.ShardRef, judgements []replica.Judgement) error {
	f.w.mu.Lock()
	a := f.w.mu.auditors[to]
	f.w.mu.Unlock()
	if a != nil {
		a.Verdict(r, judgements)
	}
	return nil
}

// auditor starts the auditor of a peer; stop it before the test ends.
func (w *world) auditor(id catalog.PeerID, opts audit.Options) *audit.Auditor {
	w.t.Helper()
	n := node{w, id}
	opts.Self, opts.Local, opts.Remote, opts.Metadata, opts.Liveness, opts.Mover = id, n, far{w}, n, n, n
	a, err := audit.New(opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.mu.auditors[id] = a
	w.mu.Unlock()
	return a
}

func (w *world) auditors(events *event.Log) (all []*audit.Auditor, stop func()) {
	for id := range w.mu.copies {
		w.auditor(id, audit.Options{Events: events})
	}
	for id := catalog.PeerID(1); w.mu.auditors[id] != nil; id++ {
		all = append(all, w.mu.auditors[id])
	}
	return all, func() {
		for _, a := range all {
			_ = a.Close()
		}
	}
}
