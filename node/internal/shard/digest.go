package shard

import (
	"context"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

// Digest sums up ids, versions, payloads and vectors of all points, in whatever order they came to be: replicas that
// applied the same log have equal digests.
func (s *Shard) Digest(ctx context.Context) (uint64, error) {
	r, err := s.read(nil)
	if err != nil {
		return 0, err
	}
	defer r.close()
	var sum uint64
	add := func(kind byte) func(kv.Record) (bool, error) {
		return func(rec kv.Record) (bool, error) {
			sum += recordHash(kind, rec)
			return true, nil
		}
	}
	if err := r.view.ScanPayloads(ctx, s.gen, nil, add('p')); err != nil {
		return 0, err
	}
	if err := r.view.ScanVectors(ctx, s.gen, nil, add('v')); err != nil {
		return 0, err
	}
	return sum, nil
}

func recordHash(kind byte, rec kv.Record) uint64 {
	var head [32]byte
	h := xxhash.New()
	b := rec.ID.AppendKey(append(head[:0], kind))
	_, _ = h.Write(binary.BigEndian.AppendUint64(b, rec.Version)) // it cannot fail
	_, _ = h.Write(rec.Body)
	return h.Sum64()
}
