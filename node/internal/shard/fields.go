package shard

import (
	"context"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/best"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// builds are the payload indexes being filled in the background.
type builds struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	gate   chan struct{} // bounds how many run at once; nil: nothing does
}

func (b *builds) init(gate chan struct{}) {
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.gate = gate
}

func (b *builds) close() {
	b.cancel()
	b.wg.Wait()
}

// loadFields begins the payload indexes of a shard that was just loaded: they are filled in the background.
func (s *Shard) loadFields() error {
	s.mu.fields = payload.New(nil)
	for _, label := range s.mu.table.labels {
		s.mu.fields.Add(label)
	}
	return s.setFields(s.mu.schema.Fields)
}

// setFields makes the payload indexes follow a schema, while nothing is being applied.
func (s *Shard) setFields(schema payload.Schema) error {
	v, err := s.store.View()
	if err != nil {
		return err
	}
	s.mu.Lock()
	b := s.mu.fields.Change(schema)
	s.mu.Unlock()
	if b == nil {
		v.Close()
		return nil
	}
	s.builds.wg.Go(func() {
		defer v.Close()
		if err := s.build(s.builds.ctx, b, v); err != nil && s.builds.ctx.Err() == nil {
			s.log.Error("payload indexes are not built: filters read payloads", "generation", s.gen, "error", err)
		}
	})
	return nil
}

// buildBatch is how many points a build adds while readers and the writer wait.
const buildBatch = 256

// build fills payload indexes from a view of the time at which they were declared.
func (s *Shard) build(ctx context.Context, b *payload.Build, v *kv.View) error {
	if gate := s.builds.gate; gate != nil {
		select {
		case gate <- struct{}{}:
			defer func() { <-gate }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	ids, rows := make([]point.ID, 0, buildBatch), make([]payload.Row, 0, buildBatch)
	put := func() (more bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, id := range ids {
			if label, ok := s.mu.table.labels[id]; ok {
				b.Put(label, rows[i])
			}
		}
		ids, rows = ids[:0], rows[:0]
		return !b.Dropped()
	}
	err := v.ScanPayloads(ctx, s.gen, nil, func(rec kv.Record) (bool, error) {
		p, err := point.DecodePayload(rec.Body)
		if err != nil {
			return false, err
		}
		ids, rows = append(ids, rec.ID), append(rows, b.Extract(p))
		return len(ids) < buildBatch || put(), nil
	})
	if err != nil {
		return err
	}
	put()
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Done()
	s.reviewLocked()
	return nil
}

// facts is what a plan may ask of the table.
type facts struct{ t *table }

// Labels returns the labels of points that exist.
func (f facts) Labels(ids []point.ID) *roaring.Bitmap {
	bm := roaring.New()
	for _, id := range ids {
		if l, ok := f.t.labels[id]; ok {
			bm.Add(l)
		}
	}
	return bm
}

// WithVector knows nothing: the vectors do.
func (facts) WithVector(string) *roaring.Bitmap { return nil }

// planLocked plans a filter, while nobody changes the memory.
func (s *Shard) planLocked(f *filter.Filter) payload.Plan {
	return s.mu.fields.Plan(f, facts{s.mu.table})
}

// What it costs to look at a point, in units of reading the next record of a scan.
const (
	costOfRead  = 4    // of a record by its id
	costOfLabel = 0.02 // of a label whose id is put in order
)

// byIndex reports whether reading the points that a plan leaves beats scanning all, until about wanted of them match
// (0: all are wanted).
func byIndex(p *payload.Plan, wanted uint64) bool {
	if !p.Bounded() {
		return false
	}
	_, about, most := p.Estimate()
	visited, scanned := float64(most), float64(p.Total)
	if wanted > 0 && about > 0 {
		visited = min(visited, float64(wanted)*float64(most)/float64(about))
		scanned = min(scanned, float64(wanted)*float64(p.Total)/float64(about))
	}
	return float64(most)*costOfLabel+visited*costOfRead < scanned
}

// inOrder returns the points of labels whose ids are not before from, such that they come in the order of their ids.
func (r *reader) inOrder(labels *roaring.Bitmap, from *point.ID) *best.Queue[point.ID] {
	ids := make([]point.ID, 0, labels.GetCardinality())
	labels.Iterate(func(l uint32) bool {
		if id := r.rows.id(l); from == nil || id.Compare(*from) >= 0 {
			ids = append(ids, id)
		}
		return true
	})
	return best.NewQueue(ids, func(a, b point.ID) bool { return a.Compare(b) < 0 })
}

// sweepShare: a sweep reads the points that an index leaves, if they are at most one in so many of all.
const sweepShare = 8

// candidates returns, in order, the points among which are all that match a filter, if an index leaves few. What is
// stored must be what is in memory.
func (s *Shard) candidates(f *filter.Filter) ([]point.ID, bool) {
	s.mu.RLock()
	plan := s.planLocked(f)
	s.mu.RUnlock()
	if !plan.Bounded() || plan.Upper.GetCardinality() > plan.Total/s.sweepShare {
		return nil, false
	}
	ids := make([]point.ID, 0, plan.Upper.GetCardinality())
	plan.Upper.Iterate(func(l uint32) bool {
		ids = append(ids, s.mu.table.rows.id(l)) // only Apply changes the table, and this is it
		return true
	})
	slices.SortFunc(ids, point.ID.Compare)
	return ids, true
}
