package shard_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

var errCut = errors.New("the line is cut")

// pass lets an intake take a cut of s, until after so many pieces; hurt may change a piece on its way.
func pass(s *shard.Shard, in *shard.Intake, size, pieces int, hurt func([]byte)) error {
	ctx := context.Background()
	cut, err := s.Cut()
	if err != nil {
		return err
	}
	defer cut.Close()
	if err := in.Begin(ctx, cut.Applied); err != nil {
		return err
	}
	sum, err := cut.Read(ctx, in.Have(), size, func(data []byte, n int) error {
		if pieces--; pieces < 0 {
			return errCut
		}
		hurt(data)
		_, err := in.Take(ctx, data)
		return err
	})
	if err != nil {
		return err
	}
	return in.Check(ctx, sum)
}

func whole([]byte) {}

func openIntake(t fataler, n *node, gen uint64) *shard.Intake {
	t.Helper()
	in, err := shard.OpenIntake(n.store, gen)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// However often a transfer is interrupted, and whatever the source applies meanwhile, what is completed is the source, and goes on
// as the source does.
func TestATransferInAnyNumberOfPassesEndsAsTheSource(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		src, o := source{t}, newOracle()
		from, to := n.next.Add(1), n.next.Add(1)
		s := n.shard(t, from)
		applyBoth(t, s, o, src.entries(0, 12))
		in := openIntake(t, n, to)
		size := rapid.SampledFrom([]int{1, 60, 300, 1 << 20}).Draw(t, "size")
		for range src.n(4) {
			if err := pass(s, in, size, src.n(6), whole); err != nil && !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			if src.oneIn(2) {
				in = openIntake(t, n, to) // the receiver restarts
			}
			applyBoth(t, s, o, src.entries(o.applied, 6))
		}
		if err := pass(s, in, size, 1<<20, whole); err != nil {
			t.Fatal(err)
		}
		if err := in.Complete(context.Background(), 3, nil); err != nil {
			t.Fatal(err)
		}
		copied := n.shard(t, to)
		check(t, copied, o)
		es := src.entries(o.applied, 6)
		applyBoth(t, s, o, es)
		if _, err := copied.Apply(context.Background(), es); err != nil {
			t.Fatal(err)
		}
		check(t, copied, o)
		a, _ := s.Digest(context.Background())
		b, _ := copied.Digest(context.Background())
		if a != b {
			t.Fatalf("digests %x and %x", a, b)
		}
		closeShard(t, s)
		closeShard(t, copied)
	})
}

// Whatever bit is wrong in what arrives, nothing is completed from it, and a transfer that starts again is.
func TestATransferThatWasDamagedIsNeverComplete(t *testing.T) {
	n := newNode(t)
	rapid.Check(t, func(t *rapid.T) {
		src, o := source{t}, newOracle()
		from, to := n.next.Add(1), n.next.Add(1)
		s := n.shard(t, from)
		applyBoth(t, s, o, src.entries(0, 12))
		in := openIntake(t, n, to)
		hit := false
		err := pass(s, in, 200, 1<<20, func(data []byte) {
			if !hit && src.oneIn(2) {
				hit = true
				bit := src.n(8*len(data) - 1)
				data[bit/8] ^= 1 << (bit % 8)
			}
		})
		switch {
		case hit && !fault.Is(err, fault.Corrupt):
			t.Fatalf("a flipped bit was taken: %v", err)
		case !hit && err != nil:
			t.Fatal(err)
		}
		if hit {
			in = openIntake(t, n, to)
			if in.Whole() {
				t.Fatal("complete")
			}
			if err := in.Restart(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := pass(s, in, 200, 1<<20, whole); err != nil {
				t.Fatalf("started again: %v", err)
			}
		}
		closeShard(t, s)
	})
}

// A transfer that goes on does not send again what has not changed.
func TestATransferThatGoesOnSendsWhatChangedOnly(t *testing.T) {
	n := newNode(t)
	s := n.shard(t, 1)
	defer closeShard(t, s)
	vector := point.Vectors{"e": {1, 2}}
	for i := range uint64(500) {
		apply(t, s, upsert(point.Point{ID: point.Num(i), Vectors: vector, Payload: point.Payload{"text": string(bytes.Repeat([]byte("x"), 200))}}))
	}
	in := openIntake(t, n, 2)
	if err := pass(s, in, 10_000, 8, whole); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	apply(t, s, upsert(point.Point{ID: point.Num(3), Vectors: vector}), point.Delete{Selector: point.Selector{IDs: []point.ID{point.Num(4)}}})
	in = openIntake(t, n, 2)
	have := len(in.Have().Through)
	if have == 0 {
		t.Fatal("nothing is known of what was taken")
	}
	sent := 0
	if err := pass(s, in, 10_000, 1<<20, func(data []byte) { sent += len(data) }); err != nil {
		t.Fatal(err)
	}
	if sent < 30_000 || sent > 70_000 {
		t.Errorf("%d bytes were sent for the part of about 120000 that was missing", sent)
	}
	if err := in.Complete(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	if again := openIntake(t, n, 2); !again.Whole() {
		t.Error("a complete generation is not known as one")
	}
	if first, last, err := n.store.LogBounds(2); err != nil || first != 503 || last != 502 {
		t.Errorf("its log is %d to %d (%v), want an empty one behind 502", first, last, err)
	}
}

// A record too large for one transaction comes across, and its pieces go when it is replaced.
func TestATransferCarriesLargeRecords(t *testing.T) {
	n := newNode(t)
	s := n.shard(t, 1)
	defer closeShard(t, s)
	large := func(size int) point.Op {
		return upsert(point.Point{ID: point.Num(1), Payload: point.Payload{"text": string(bytes.Repeat([]byte("y"), size))}, Vectors: point.Vectors{"e": {1, 2}}})
	}
	apply(t, s, large(3<<20))
	in := openIntake(t, n, 2)
	if err := pass(s, in, 1<<10, 1<<20, whole); err != nil {
		t.Fatal(err)
	}
	apply(t, s, large(10))
	if err := pass(s, in, 1<<10, 1<<20, whole); err != nil {
		t.Fatal(err)
	}
	if err := in.Complete(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	before, _ := n.store.Generations()
	if !slices.Equal(before, []uint64{1, 2}) {
		t.Fatalf("generations %v", before)
	}
	v, err := n.store.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	r, ok, err := v.Payload(2, point.Num(1))
	if err != nil || !ok || len(r.Body) > 100 {
		t.Errorf("%d bytes, %v, %v", len(r.Body), ok, err)
	}
}

func FuzzIntakeNeverPanics(f *testing.F) {
	f.Add([]byte{})
	f.Add(append(point.Num(1).AppendKey(nil), 0))
	f.Add(append(point.Num(1).AppendKey(nil), 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 7))
	f.Add(append(point.Num(1).AppendKey(nil), 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0xff))
	store, err := kv.Open(kv.Options{Dir: "store", FS: vfs.NewMem()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { store.Close() })
	gen := uint64(0)
	f.Fuzz(func(t *testing.T, b []byte) {
		gen++
		in, err := shard.OpenIntake(store, gen)
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Begin(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Take(t.Context(), b); err != nil && !fault.Is(err, fault.Corrupt) {
			t.Fatalf("%v is not of class Corrupt", err)
		}
	})
}
