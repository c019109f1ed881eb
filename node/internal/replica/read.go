package replica

import (
	"context"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// read runs f on the shard's local copy once that has applied minIndex, and returns the applied index that the
// answer is at least as new as. A replica that does not count is not read (Unavailable): ask another.
func read[T any](ctx context.Context, m *Manager, ref catalog.ShardRef, minIndex uint64, f func(*shard.Shard) (T, error)) (T, uint64, error) {
	var zero T
	r, err := m.runner(ref)
	if err != nil {
		return zero, 0, err
	}
	st := r.status.Load()
	if st.Problem != "" {
		return zero, 0, fault.New(fault.Unavailable, "the replica of shard %d on this node has failed: %s", ref.Shard, st.Problem)
	}
	if !slices.Contains(st.active, m.opts.Self) {
		return zero, 0, fault.New(fault.Unavailable, "the replica of shard %d on this node is not active", ref.Shard)
	}
	if why := r.verdict(); why != "" {
		return zero, 0, fault.New(fault.Unavailable, "the replica of shard %d on this node is not read: %s", ref.Shard, why)
	}
	look := func() (result T, applied uint64, err error) {
		applied = r.mark.get()
		if applied < minIndex && !mutation.On(mutation.StaleReads) {
			return result, applied, fault.New(fault.Unavailable, "the replica of shard %d on this node has applied %d, the read needs %d",
				ref.Shard, applied, minIndex).With(move.HintWait, "true")
		}
		done, err := m.turns.take(ctx, ref)
		if err != nil {
			return result, applied, err
		}
		defer done()
		result, err = f(r.shard)
		r.report(err)
		return result, applied, err
	}
	result, applied, err := look()
	if fault.Hint(err, move.HintWait) == "" {
		return result, applied, err
	}
	patience, cancel := context.WithTimeout(ctx, m.opts.ReadWait)
	defer cancel()
	for {
		news := r.mark.listen() // before looking
		if result, applied, err = look(); fault.Hint(err, move.HintWait) == "" {
			return result, applied, err
		}
		select {
		case <-news:
		case <-patience.Done():
			return zero, 0, fault.Wrap(fault.ClassOf(err), err, "shard %d", ref.Shard)
		}
	}
}

// Search answers several searches over the local replica; results[i] is for reqs[i].
func (m *Manager) Search(ctx context.Context, ref catalog.ShardRef, minIndex uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error) {
	return read(ctx, m, ref, minIndex, func(s *shard.Shard) ([][]shard.Scored, error) {
		return s.SearchBatch(ctx, reqs)
	})
}

// Scroll returns points of the local replica in the order of their ids.
func (m *Manager) Scroll(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.ScrollRequest) ([]point.Record, uint64, error) {
	return read(ctx, m, ref, minIndex, func(s *shard.Shard) ([]point.Record, error) { return s.Scroll(ctx, req) })
}

// Get returns points of the local replica by id.
func (m *Manager) Get(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.GetRequest) ([]point.Record, uint64, error) {
	return read(ctx, m, ref, minIndex, func(s *shard.Shard) ([]point.Record, error) { return s.Get(ctx, req) })
}

// Count counts the points of the local replica that match.
func (m *Manager) Count(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.CountRequest) (uint64, uint64, error) {
	return read(ctx, m, ref, minIndex, func(s *shard.Shard) (uint64, error) { return s.Count(ctx, req) })
}

// Facet counts the values at a path over the points of the local replica that match.
func (m *Manager) Facet(ctx context.Context, ref catalog.ShardRef, minIndex uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error) {
	return read(ctx, m, ref, minIndex, func(s *shard.Shard) ([]payload.Facet, error) { return s.Facet(ctx, req) })
}

// Digest returns an order-independent digest of the local replica and the index that it is of, whether or not the
// replica counts: to compare copies.
func (m *Manager) Digest(ctx context.Context, ref catalog.ShardRef) (digest, applied uint64, err error) {
	r, err := m.runner(ref)
	if err != nil {
		return 0, 0, err
	}
	d, err := m.DigestAt(ctx, ref, r.gen, 0, 0)
	return d.Digest, d.Index, err
}
