package shard

import (
	"context"
	"errors"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
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
	saved := s.readSaved() // beside the table
	versions, err := s.loadTable(v)
	if err != nil {
		return errors.Join(err, saved.drop())
	}
	defer publishAll(s.mu.spaces)
	return s.loadVectors(v, versions, s.useSaved(saved, versions))
}

// loadTable reads what is known of points without their vectors, and returns the versions of these by label, 0 where there are
// none. Payloads and what stands before vectors are read side by side: both come in the order of ids.
func (s *Shard) loadTable(v *kv.View) (versions []uint64, err error) {
	heads := headsOf(v, s.gen)
	defer heads.close()
	t := s.mu.table
	err = v.ScanPayloads(context.Background(), s.gen, nil, func(r kv.Record) (bool, error) {
		h, err := heads.of(r.ID)
		if err != nil {
			return false, err
		}
		l := t.label(r.ID, 0)
		t.put(l, r.ID)
		s.countLocked(r.ID, 1)
		t.setPayload(l, r.Version, len(r.Body))
		if h == nil {
			versions = append(versions, 0)
			t.setRefs(l, kv.Refs{Payload: r.Ref})
			return true, nil
		}
		versions = append(versions, h.Version)
		t.setVectors(l, h.Version, h.Length)
		t.setRefs(l, kv.Refs{Payload: r.Ref, Vectors: h.Ref})
		return true, nil
	})
	if err == nil {
		err = heads.end()
	}
	return versions, err
}

// reading is what saved indexes are being read into, by the name of their vectors.
type reading struct {
	wg  sync.WaitGroup
	all []*savedSpace
}

type savedSpace struct {
	name   string
	sp     *space
	loaded *dense.Loaded
	err    error
}

// readSaved begins to read saved indexes.
func (s *Shard) readSaved() *reading {
	r := &reading{}
	if s.dir == "" {
		return r
	}
	for name, sp := range s.mu.spaces {
		if sp.dense == nil {
			continue // these are not saved
		}
		one := &savedSpace{name: name, sp: sp}
		r.all = append(r.all, one)
		r.wg.Go(func() { one.loaded, one.err = sp.dense.Read(s.indexDir(name)) })
	}
	return r
}

func (r *reading) drop() (err error) {
	r.wg.Wait()
	for _, one := range r.all {
		if one.loaded != nil {
			err = errors.Join(err, one.loaded.Drop())
		}
	}
	return err
}

// useSaved puts saved indexes in place, and returns the last change that each shows. What cannot be used is removed.
func (s *Shard) useSaved(r *reading, versions []uint64) (since map[*space]uint64) {
	r.wg.Wait()
	since = map[*space]uint64{}
	labels := s.mu.table.labels
	for _, one := range r.all {
		applied, err := uint64(0), one.err
		if err == nil {
			applied, err = one.loaded.Use(func(id point.ID, applied uint64) (uint32, bool) {
				l, ok := labels[id]
				return l, ok && versions[l] != 0 && versions[l] <= applied
			})
		}
		if err == nil {
			since[one.sp] = applied
			continue
		}
		if fault.Is(err, fault.NotFound) {
			continue
		}
		s.log.Warn("cannot use a saved index; it is built anew", "generation", s.gen, "vector", one.name, "error", err)
		if err := s.forget(one.name); err != nil {
			s.log.Warn("cannot remove a saved index", "generation", s.gen, "vector", one.name, "error", err)
		}
	}
	return since
}

// loadVectors takes from the store the vectors that have changed since an index was saved, or are in none that was.
func (s *Shard) loadVectors(v *kv.View, versions []uint64, since map[*space]uint64) error {
	oldest := s.mu.applied
	for _, sp := range s.mu.spaces {
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
		return v.ScanVectors(context.Background(), s.gen, nil, func(r kv.Record) (bool, error) {
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
