package provider_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

const (
	loadSize    = 8 // components of a vector
	loadWriters = 4
	loadIDs     = 500 // of each writer
	loadPatient = 30 * time.Second
)

// load writes, reads and deletes all the time, and knows what must be there: each writer has points of its own.
type load struct {
	clients []*client.Client
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	models  []map[uint64]int64 // by writer: the revision of each point that is there
	mu      struct {
		sync.Mutex
		phases  []*loadPhase
		failure []string
	}
}

// loadPhase is what happened while one thing was done to the cluster.
type loadPhase struct {
	name                   string
	began                  time.Time
	writes, reads, deletes int
	longest                time.Duration
}

func newLoad(endpoints []string) *load {
	l := &load{}
	for i := range loadWriters {
		c, err := client.New(client.Config{Endpoints: append(append([]string(nil), endpoints[i%len(endpoints):]...), endpoints[:i%len(endpoints)]...), MaxAttempts: 1000})
		if err != nil {
			panic(err)
		}
		l.clients, l.models = append(l.clients, c), append(l.models, map[uint64]int64{})
	}
	l.phase("before")
	return l
}

func (l *load) phase(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.phases = append(l.mu.phases, &loadPhase{name: name, began: time.Now()})
}

func (l *load) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	for w := range loadWriters {
		l.wg.Go(func() { l.write(ctx, w) })
	}
}

// stop ends the load and waits for it.
func (l *load) stop() {
	if l.cancel == nil {
		return
	}
	l.cancel()
	l.wg.Wait()
	l.cancel = nil
	for _, c := range l.clients {
		_ = c.Close()
	}
}

func (l *load) write(ctx context.Context, w int) {
	random, revision := rand.New(rand.NewPCG(uint64(w), 1)), int64(0)
	for ctx.Err() == nil {
		revision++
		id := uint64(random.IntN(loadIDs)*loadWriters + w)
		switch random.IntN(6) {
		case 0:
			l.do("delete", w, func(ctx context.Context, c *client.Client) error {
				_, err := c.DeletePoints(ctx, "docs", client.Selector{IDs: []client.PointID{client.Num(id)}}, client.WriteOptions{Wait: true})
				return err
			})
			delete(l.models[w], id)
		case 1:
			l.do("read", w, func(ctx context.Context, c *client.Client) error { return l.look(ctx, c, w, id) })
		default:
			vector := make([]float32, loadSize)
			vector[id%loadSize] = float32(revision)
			l.do("write", w, func(ctx context.Context, c *client.Client) error {
				_, err := c.Upsert(ctx, "docs", []client.Point{{
					ID: client.Num(id), Vectors: client.Vectors{"": vector}, Payload: map[string]any{"revision": revision},
				}}, client.WriteOptions{Wait: true})
				return err
			})
			l.models[w][id] = revision
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Millisecond): // two cores are shared with four nodes and Terraform
		}
	}
}

// look demands that a linearizable read gives what was acknowledged last.
func (l *load) look(ctx context.Context, c *client.Client, w int, id uint64) error {
	records, err := c.Reading(client.Strong).Get(ctx, "docs", client.GetRequest{IDs: []client.PointID{client.Num(id)}, WithPayload: true})
	if err != nil {
		return err
	}
	want, exists := l.models[w][id]
	if exists != (len(records) == 1) || exists && records[0].Payload["revision"] != want {
		return fmt.Errorf("point %d: got %v, want revision %d, exists %t", id, records, want, exists)
	}
	return nil
}

// do makes one operation, which the client repeats as long as that is safe. It is not cut off by the end of the load.
func (l *load) do(kind string, w int, f func(ctx context.Context, c *client.Client) error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadPatient)
	defer cancel()
	start := time.Now()
	err := f(ctx, l.clients[w])
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.mu.phases[len(l.mu.phases)-1]
	p.longest = max(p.longest, took)
	switch kind {
	case "delete":
		p.deletes++
	case "read":
		p.reads++
	default:
		p.writes++
	}
	if err != nil && len(l.mu.failure) < 20 {
		l.mu.failure = append(l.mu.failure, fmt.Sprintf("%s, %s after %s: %v", p.name, kind, took.Round(time.Millisecond), err))
	}
}

// compare demands that the points are the model's.
func (l *load) compare(t *testing.T, c *client.Client) {
	t.Helper()
	want := map[uint64]int64{}
	for _, m := range l.models {
		for id, revision := range m {
			want[id] = revision
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	got := map[uint64]int64{}
	for from := (*client.PointID)(nil); ; {
		records, next, err := c.Reading(client.Strong).Scroll(ctx, "docs", client.ScrollRequest{From: from, Limit: 500, WithPayload: true})
		if err != nil {
			t.Fatalf("read all points: %v", err)
		}
		for _, r := range records {
			id, _ := r.ID.Number()
			got[id], _ = r.Payload["revision"].(int64)
		}
		if from = next; next == nil {
			break
		}
	}
	wrong := 0
	for id, revision := range want {
		if got[id] != revision {
			wrong++
			t.Errorf("point %d: revision %d, want %d", id, got[id], revision)
		}
		if wrong > 10 {
			break
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d points, want %d", len(got), len(want))
	}
	t.Logf("%d points, as in the model", len(got))
}

// report writes the record, and fails for every operation that failed.
func (l *load) report(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range l.mu.phases {
		end := time.Now()
		if i+1 < len(l.mu.phases) {
			end = l.mu.phases[i+1].began
		}
		t.Logf("%-32s %6s  %5d writes %5d reads %5d deletes, the longest took %s", p.name, end.Sub(p.began).Round(100*time.Millisecond),
			p.writes, p.reads, p.deletes, p.longest.Round(time.Millisecond))
	}
	for _, f := range l.mu.failure {
		t.Error(f)
	}
}
