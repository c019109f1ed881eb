package shard

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

// Sum is what a digest is taken of, summed up.
type Sum struct {
	Digest uint64
	Points uint64
}

// Pin holds the copy as it is at one moment, for whoever reads all of it while the shard goes on. A pin costs what the
// store keeps of the past meanwhile, and the shard's Close waits for it: end what reads it first.
type Pin struct {
	r       *reader
	applied uint64
	moves   []byte // move.State of the same moment
}

// Pin takes the copy as it is now. It reads nothing yet and waits for nobody.
func (s *Shard) Pin() (*Pin, error) {
	p := &Pin{}
	r, err := s.read(nil, func(*reader) error {
		p.applied, p.moves = s.mu.applied, s.mu.moves.Encode()
		return nil
	})
	p.r = r
	return p, err
}

// Applied is the index of the last operation that the pin shows.
func (p *Pin) Applied() uint64 { return p.applied }

// Close lets go.
func (p *Pin) Close() { p.r.close() }

// Digest sums up ids, versions, payloads and vectors of all points, in whatever order they came to be, and what is known of
// moves: replicas that applied the same log have equal digests. It reads at most pace bytes a second; 0 means as fast as it can.
func (p *Pin) Digest(ctx context.Context, pace uint64) (Sum, error) {
	var sum Sum
	if len(p.moves) > 0 {
		sum.Digest = xxhash.Sum64(p.moves)
	}
	walk := pacer{ctx: ctx, pace: pace, start: time.Now()}
	add := func(kind byte) func(kv.Record) (bool, error) {
		return func(rec kv.Record) (bool, error) {
			sum.Digest += recordHash(kind, rec)
			if kind == 'p' {
				sum.Points++
			}
			return true, walk.read(len(rec.Body))
		}
	}
	if err := p.r.view.ScanPayloads(ctx, p.r.s.gen, nil, add('p')); err != nil {
		return Sum{}, err
	}
	if err := p.r.view.ScanVectors(ctx, p.r.s.gen, nil, add('v')); err != nil {
		return Sum{}, err
	}
	return sum, nil
}

// Digest is that of a Pin taken now.
func (s *Shard) Digest(ctx context.Context) (uint64, error) {
	p, err := s.Pin()
	if err != nil {
		return 0, err
	}
	defer p.Close()
	sum, err := p.Digest(ctx, 0)
	return sum.Digest, err
}

// pacer keeps a walk over the store from taking the disk away from everybody else.
type pacer struct {
	ctx   context.Context
	pace  uint64 // bytes a second; 0 = no bound
	start time.Time
	bytes uint64
	due   uint64 // bytes at which it looks at the clock again
}

// paceStep is how many bytes are read between two looks at the clock.
const paceStep = 256 << 10

func (w *pacer) read(n int) error {
	w.bytes += uint64(n)
	if w.pace == 0 || w.bytes < w.due {
		return nil
	}
	w.due = w.bytes + paceStep
	ahead := time.Duration(float64(w.bytes)/float64(w.pace)*float64(time.Second)) - time.Since(w.start)
	if ahead <= 0 {
		return nil
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

func recordHash(kind byte, rec kv.Record) uint64 {
	var head [32]byte
	h := xxhash.New()
	b := rec.ID.AppendKey(append(head[:0], kind))
	_, _ = h.Write(binary.BigEndian.AppendUint64(b, rec.Version)) // it cannot fail
	_, _ = h.Write(rec.Body)
	return h.Sum64()
}
