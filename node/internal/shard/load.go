package shard

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// load fills the memory. Nobody else has the shard yet.
func (s *Shard) load() error {
	v, err := s.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	if s.mu.applied, err = v.Applied(s.gen); err != nil {
		return err
	}
	if s.mu.pending, err = v.Pending(s.gen); err != nil {
		return err
	}
	moves, err := v.Moves(s.gen)
	if err != nil {
		return err
	}
	if s.mu.moves, err = move.DecodeState(moves); err != nil {
		return err
	}
	ctx, t := context.Background(), s.mu.table
	err = v.ScanPayloads(ctx, s.gen, nil, func(r kv.Record) (bool, error) {
		l := t.label(r.ID, 0)
		t.put(l, r.ID)
		s.countLocked(r.ID, 1)
		t.setPayload(l, r.Version, len(r.Body))
		t.setRefs(l, kv.Refs{Payload: r.Ref})
		return true, nil
	})
	if err != nil {
		return err
	}
	defer publishAll(s.mu.spaces)
	if s.dir == "" {
		return s.loadVectors(ctx, v)
	}
	return s.loadSaved(ctx, v)
}

// loadVectors takes all vectors from the store.
func (s *Shard) loadVectors(ctx context.Context, v *kv.View) error {
	return v.ScanVectors(ctx, s.gen, nil, func(r kv.Record) (bool, error) {
		l, err := s.loadHead(kv.Head{ID: r.ID, Version: r.Version, Length: len(r.Body), Ref: r.Ref})
		if err != nil {
			return false, err
		}
		return true, s.index(l, r.Body, s.mu.spaces)
	})
}

func (s *Shard) loadHead(h kv.Head) (label uint32, err error) {
	t := s.mu.table
	l, ok := t.labels[h.ID]
	if !ok {
		return 0, fault.New(fault.Corrupt, "point %s has vectors but no payload record", h.ID)
	}
	t.setVectors(l, h.Version, h.Length)
	t.setRefs(l, kv.Refs{Payload: t.large[l].Payload, Vectors: h.Ref})
	return l, nil
}

// loadSaved takes vectors from saved indexes, and from the store those that have changed since or were not saved.
func (s *Shard) loadSaved(ctx context.Context, v *kv.View) error {
	versions := make([]uint64, s.mu.table.used) // of vectors, by label
	err := v.ScanVectorHeads(ctx, s.gen, func(h kv.Head) (bool, error) {
		l, err := s.loadHead(h)
		if err == nil {
			versions[l] = h.Version
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	since := make(map[*space]uint64, len(s.mu.spaces)) // what a space has shown up to
	oldest := s.mu.applied
	for name, sp := range s.mu.spaces {
		since[sp] = s.restore(name, sp, versions)
		oldest = min(oldest, since[sp])
	}
	missing := func(version uint64) map[string]*space {
		spaces := make(map[string]*space, len(since))
		for name, sp := range s.mu.spaces {
			if version > since[sp] {
				spaces[name] = sp
			}
		}
		return spaces
	}
	if oldest == 0 {
		return v.ScanVectors(ctx, s.gen, nil, func(r kv.Record) (bool, error) {
			return true, s.index(s.mu.table.labels[r.ID], r.Body, missing(r.Version))
		})
	}
	for l, version := range versions {
		if version <= oldest {
			continue
		}
		r, _, err := v.Vectors(s.gen, s.mu.table.rows.id(uint32(l)))
		if err == nil {
			err = s.index(uint32(l), r.Body, missing(version))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restore loads a saved index, and returns the last change that it shows, 0 if there is none.
func (s *Shard) restore(name string, sp *space, versions []uint64) uint64 {
	if sp.dense == nil {
		return 0 // these are not saved
	}
	labels := s.mu.table.labels
	applied, err := sp.dense.Load(s.indexDir(name), func(id point.ID, applied uint64) (uint32, bool) {
		l, ok := labels[id]
		return l, ok && versions[l] != 0 && versions[l] <= applied
	})
	if err == nil {
		return applied
	}
	if !fault.Is(err, fault.NotFound) {
		s.log.Warn("cannot use a saved index; it is built anew", "generation", s.gen, "vector", name, "error", err)
		if err := s.forget(name); err != nil {
			s.log.Warn("cannot remove a saved index", "generation", s.gen, "vector", name, "error", err)
		}
	}
	return 0
}

// index adds a point's stored vectors to spaces. What does not fit the schema (any more) is left out.
func (s *Shard) index(label uint32, body []byte, spaces map[string]*space) error {
	vectors, err := point.DecodeVectorSet(body)
	if err != nil {
		return err
	}
	for name, sp := range spaces {
		if !sp.schema.fits(name, vectors) {
			continue
		}
		if err := sp.put(label, name, vectors); err != nil {
			return err
		}
	}
	return nil
}

func publishAll(spaces map[string]*space) {
	for _, sp := range spaces {
		sp.publish()
	}
}
