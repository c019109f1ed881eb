package shard

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Cut is a shard's points at one moment, for another replica: the outcome of the log up to Applied. The shard goes on; what
// changes afterwards is not in the cut. Close waits for nobody, but the shard's Close waits for open cuts.
type Cut struct {
	r *reader
	// Applied is the log index; Points and Bytes are what the cut holds.
	Applied, Points, Bytes uint64
	Moves                  []byte // move.State of the same moment, encoded
}

// Cut takes a cut. It is refused, as reads are, while an operation that a crash interrupted is being redone.
func (s *Shard) Cut() (*Cut, error) {
	c := &Cut{}
	r, err := s.read(nil, func(*reader) error {
		c.Points, c.Bytes, c.Moves = uint64(len(s.mu.table.labels)), s.mu.table.bytes, s.mu.moves.Encode()
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.r = r
	if c.Applied, err = r.view.Applied(s.gen); err != nil {
		r.close()
		return nil, err
	}
	return c, nil
}

// Close ends the cut.
func (c *Cut) Close() { c.r.close() }

// Tally tells copies of a shard apart: the number of points and their digest.
type Tally struct{ Points, Digest uint64 }

// tallyOf reads everything that a view shows of a generation.
func tallyOf(ctx context.Context, v *kv.View, gen uint64) (sum Tally, err error) {
	err = v.ScanPayloads(ctx, gen, nil, func(rec kv.Record) (bool, error) {
		sum.Points++
		sum.Digest += recordHash('p', rec)
		return true, nil
	})
	if err != nil {
		return Tally{}, err
	}
	err = v.ScanVectors(ctx, gen, nil, func(rec kv.Record) (bool, error) {
		sum.Digest += recordHash('v', rec)
		return true, nil
	})
	return sum, err
}

// Have is what a receiver holds already: the points up to Through (a point's key; nil: none), as a cut at Index or at a later
// one had them.
type Have struct {
	Through []byte
	Index   uint64
}

// covers reports whether the receiver has a record that was last changed at version.
func (h Have) covers(key []byte, version uint64) bool {
	return version <= h.Index && bytes.Compare(key, h.Through) <= 0
}

// Read passes the points on in the order of their ids, as Intake takes them, in pieces of about size bytes (more where one
// point is larger); emit owns them. What the receiver has already is only named, so that it can tell what was deleted. The sum
// is over all points, whether sent or named: every record is read and its checksum verified.
func (c *Cut) Read(ctx context.Context, have Have, size int, emit func(data []byte, points int) error) (sum Tally, err error) {
	var data []byte
	n := 0
	err = c.r.view.ScanPayloads(ctx, c.r.s.gen, nil, func(payload kv.Record) (bool, error) {
		vectors, ok, err := c.r.view.Vectors(c.r.s.gen, payload.ID)
		if err != nil {
			return false, err
		}
		sum.Points++
		sum.Digest += recordHash('p', payload)
		if ok {
			sum.Digest += recordHash('v', vectors)
		}
		data = appendTransfer(data, transferred{id: payload.ID, payload: payload, vectors: vectors, hasVectors: ok}, have)
		if n++; len(data) < size {
			return true, nil
		}
		full, points := data, n
		data, n = make([]byte, 0, len(full)+len(full)/4), 0
		return true, emit(full, points)
	})
	if err == nil && n > 0 {
		err = emit(data, n)
	}
	return sum, err
}

// transferred is a point on its way from one replica to another. On the wire:
//
//	point key (9 or 17) | kind (1) | version (8) | length (4) | payload | version (8) | length (4) | vectors
//
// Kind 0 ends after itself: the receiver has the point. Kind 1 has no vectors, kind 2 has all. Kind 3 ends after itself: there is
// no such point.
type transferred struct {
	id                     point.ID
	same, gone, hasVectors bool
	payload, vectors       kv.Record
}

const (
	kindSame    = 0
	kindPayload = 1
	kindVectors = 2
	kindGone    = 3
)

func appendTransfer(b []byte, t transferred, have Have) []byte {
	start := len(b)
	b = t.id.AppendKey(b)
	version := t.payload.Version
	if t.hasVectors {
		version = max(version, t.vectors.Version)
	}
	switch {
	case t.gone:
		return append(b, kindGone)
	case have.covers(b[start:], version):
		return append(b, kindSame)
	case !t.hasVectors:
		return appendRecord(append(b, kindPayload), t.payload)
	}
	return appendRecord(appendRecord(append(b, kindVectors), t.payload), t.vectors)
}

func appendRecord(b []byte, r kv.Record) []byte {
	b = binary.BigEndian.AppendUint64(b, r.Version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Body)))
	return append(b, r.Body...)
}

// CheckTransfer tells whether the points of a piece can be stored.
func CheckTransfer(data []byte) error {
	items, err := transfers(data)
	if err != nil {
		return err
	}
	for _, t := range items {
		if t.same || t.gone {
			continue
		}
		if _, err := point.DecodePayload(t.payload.Body); err != nil {
			return err
		}
		if !t.hasVectors {
			continue
		}
		if _, err := point.DecodeVectorSet(t.vectors.Body); err != nil {
			return err
		}
	}
	return nil
}

// cutTransfer reads the next point of a piece.
func cutTransfer(b []byte) (t transferred, rest []byte, err error) {
	if t.id, b, err = point.CutKey(b); err != nil {
		return t, nil, err
	}
	if len(b) == 0 || b[0] > kindGone {
		return t, nil, fault.New(fault.Corrupt, "transfer of point %s: no kind", t.id)
	}
	kind := b[0]
	b = b[1:]
	if kind == kindSame || kind == kindGone {
		t.same, t.gone = kind == kindSame, kind == kindGone
		return t, b, nil
	}
	if t.payload, b, err = cutRecord(t.id, b); err != nil || kind == kindPayload {
		return t, b, err
	}
	t.hasVectors = true
	t.vectors, b, err = cutRecord(t.id, b)
	return t, b, err
}

func cutRecord(id point.ID, b []byte) (r kv.Record, rest []byte, err error) {
	if len(b) < 12 {
		return r, nil, fault.New(fault.Corrupt, "transfer of point %s: %d bytes", id, len(b))
	}
	r = kv.Record{ID: id, Version: binary.BigEndian.Uint64(b)}
	n := int(binary.BigEndian.Uint32(b[8:]))
	if b = b[12:]; n > len(b) || n > kv.MaxBody {
		return r, nil, fault.New(fault.Corrupt, "transfer of point %s: a record of %d bytes in %d", id, n, len(b))
	}
	r.Body = b[:n:n]
	return r, b[n:], nil
}
