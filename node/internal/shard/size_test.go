package shard_test

import (
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestPayloadsAreCountedApart(t *testing.T) {
	s, _ := newShard(t)
	id := point.Selector{IDs: []point.ID{point.Num(1)}}
	apply(t, s, upsert(point.Point{ID: point.Num(1), Vectors: point.Vectors{"": {1, 2, 3}}, Payload: point.Payload{"k": strings.Repeat("x", 1000)}}))
	full := s.Info()
	if full.PayloadBytes < 1000 || full.PayloadBytes > 1100 || full.Bytes-full.PayloadBytes < 12 || full.Bytes-full.PayloadBytes > 100 {
		t.Errorf("%+v", full)
	}
	apply(t, s, point.ClearPayload{Selector: id})
	if bare := s.Info(); bare.PayloadBytes > 100 || bare.Bytes-bare.PayloadBytes != full.Bytes-full.PayloadBytes {
		t.Errorf("%+v after %+v", bare, full)
	}
}
