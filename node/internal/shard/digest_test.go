package shard_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestAPinShowsOneMomentWhileTheShardGoesOn(t *testing.T) {
	s, _ := newShard(t)
	defer closeShard(t, s)
	at := func(id uint64) point.Point { return point.Point{ID: point.Num(id), Vectors: point.Vectors{"d": {1}}} }
	apply(t, s, upsert(at(1), at(2)))
	pin, err := s.Pin()
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.Digest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, upsert(at(3)), point.Delete{Selector: point.Selector{IDs: []point.ID{point.Num(1)}}})
	sum, err := pin.Digest(ctx, 1<<30)
	if err != nil || pin.Applied() != 1 || sum.Points != 2 || sum.Digest != before {
		t.Errorf("at %d: %+v, %v; want digest %x", pin.Applied(), sum, err, before)
	}
	pin.Close()
	if now, err := s.Digest(ctx); err != nil || now == before {
		t.Errorf("the shard has gone on, its digest is %x, %v", now, err)
	}
}

func TestADigestThatReadsSlowlyEndsWithItsContext(t *testing.T) {
	s, _ := newShard(t)
	defer closeShard(t, s)
	for id := range uint64(4) {
		apply(t, s, upsert(point.Point{ID: point.Num(id), Vectors: point.Vectors{"d": {1}}, Payload: point.Payload{"text": strings.Repeat("x", 1<<20)}}))
	}
	pin, err := s.Pin()
	if err != nil {
		t.Fatal(err)
	}
	defer pin.Close()
	bounded, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := pin.Digest(bounded, 1000); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("4 MiB at 1000 bytes a second: %v", err)
	}
	began := time.Now()
	sum, err := pin.Digest(ctx, 20<<20)
	if took := time.Since(began); err != nil || sum.Points != 4 || took < 100*time.Millisecond {
		t.Errorf("4 MiB at 20 MiB a second took %v: %+v, %v", took, sum, err)
	}
}
