package strictmode_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

func TestWhatIsFullTakesNothingMore(t *testing.T) {
	vectors := point.UpdateVectors{Points: points(1)}
	payload := point.Payload{"k": "v"}
	id := point.Selector{IDs: []point.ID{point.Num(1)}}
	deletes := []point.Op{point.Delete{Selector: id}, point.DeletePayload{Selector: id}, point.ClearPayload{Selector: id}, point.DeleteVectors{Selector: id}}
	for name, c := range map[string]struct {
		limits   catalog.StrictMode
		full     strictmode.Held
		bad      []point.Op
		good     []point.Op
		contains string
	}{
		"points": {
			catalog.StrictMode{MaxPoints: new(uint64(10))}, strictmode.Held{Points: 10},
			[]point.Op{point.Upsert{Points: points(1)}}, append(deletes, point.Upsert{Points: points(1), Mode: point.UpdateOnly}, vectors, point.SetPayload{Selector: id, Payload: payload}),
			"it holds 10 points and the request adds to them, max_points_count allows 10: delete",
		},
		"vectors": {
			catalog.StrictMode{MaxVectorBytes: new(uint64(10))}, strictmode.Held{VectorBytes: 11},
			[]point.Op{point.Upsert{Points: points(1)}, vectors}, append(deletes, point.SetPayload{Selector: id, Payload: payload}),
			"max_collection_vector_size_bytes allows 10",
		},
		"payloads": {
			catalog.StrictMode{MaxPayloadBytes: new(uint64(10))}, strictmode.Held{PayloadBytes: 10},
			[]point.Op{point.SetPayload{Selector: id, Payload: payload}, point.OverwritePayload{Selector: id, Payload: point.Payload{"a": []any{int64(1)}}}, point.Upsert{Points: points(1, func(p *point.Point) { p.Payload = payload })}},
			append(deletes, point.Upsert{Points: points(1)}, vectors, point.OverwritePayload{Selector: id}),
			"max_collection_payload_size_bytes allows 10",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			for _, op := range c.bad {
				b := newBench()
				if err := b.Write(ctx, strict(c.limits), strictmode.Write{Ops: []point.Op{op}}); err != nil {
					t.Errorf("%T, while there is room: %v", op, err)
				}
				b.now = b.now.Add(time.Second)
				b.held = c.full
				wantRefused(t, b.Write(ctx, strict(c.limits), strictmode.Write{Ops: []point.Op{op}}), c.contains)
			}
			b := newBench()
			b.held = c.full
			if err := b.Write(ctx, strict(c.limits), strictmode.Write{Ops: c.good}); err != nil {
				t.Errorf("what adds nothing: %v", err)
			}
		})
	}
}

func TestWhatThisNodeLetPassCounts(t *testing.T) {
	b, ctx := newBench(), context.Background()
	col := strict(catalog.StrictMode{MaxPoints: new(uint64(100))})
	write := func(n int) error {
		return b.Write(ctx, col, strictmode.Write{Ops: []point.Op{point.Upsert{Points: points(n)}}})
	}
	for range 9 {
		if err := write(11); err != nil {
			t.Fatal(err)
		}
	}
	if b.measured != 1 {
		t.Fatalf("measured %d times, want once while there is room", b.measured)
	}
	b.held.Points = 99
	if err := write(11); err != nil {
		t.Fatalf("99 are fewer than 100: %v", err)
	}
	if err := write(1); err != nil || b.measured != 2 {
		t.Fatalf("%v: what was let pass may have replaced points, so it is measured again: %d", err, b.measured)
	}
	b.held.Points = 100
	for range 3 {
		wantRefused(t, write(1), "max_points_count")
	}
	if b.measured != 3 {
		t.Fatalf("measured %d times: a refusal is no reason to measure again", b.measured)
	}
	b.held.Points = 0
	wantRefused(t, write(1), "max_points_count")
	b.now = b.now.Add(time.Second)
	if err := write(1); err != nil {
		t.Fatalf("points were deleted: %v", err)
	}
}

func TestWhatIsNotKnownRefusesNothing(t *testing.T) {
	b, ctx := newBench(), context.Background()
	col := strict(catalog.StrictMode{MaxPoints: new(uint64(10))})
	write := func() error {
		return b.Write(ctx, col, strictmode.Write{Ops: []point.Op{point.Upsert{Points: points(1)}}})
	}
	b.err = errAway
	if err := write(); err != nil {
		t.Fatal(err)
	}
	b.err, b.held.Points = nil, 10
	wantRefused(t, write(), "max_points_count")
	for _, change := range []func(){func() { b.err = errAway }, func() { b.err, b.held = nil, strictmode.Held{Points: 3, Partial: true} }} {
		b.now = b.now.Add(time.Second)
		change()
		wantRefused(t, write(), "it holds 10 points")
	}
	b.now, b.held.Partial = b.now.Add(time.Second), false
	if err := write(); err != nil {
		t.Fatal(err)
	}
}

func TestManyWritersMeasureOnce(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	measured := 0
	k := strictmode.New(strictmode.Options{Now: func() time.Time { return time.Unix(1, 0) }, Measure: func(context.Context, string) (strictmode.Held, error) {
		measured++
		close(entered)
		<-leave
		return strictmode.Held{}, nil
	}})
	col := strict(catalog.StrictMode{MaxPoints: new(uint64(1000))})
	write := func(ctx context.Context) error {
		return k.Write(ctx, col, strictmode.Write{Ops: []point.Op{point.Upsert{Points: points(1)}}})
	}
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	wg.Go(func() { errs <- write(context.Background()) })
	<-entered
	for range 7 {
		wg.Go(func() { errs <- write(context.Background()) })
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := write(gone); !fault.Is(err, fault.Canceled) {
		t.Errorf("who gives up waits for nothing: %v", err)
	}
	close(leave)
	wg.Wait()
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if measured != 1 {
		t.Errorf("measured %d times", measured)
	}
}
