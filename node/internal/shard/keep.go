package shard

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Indexes are kept in files so that a restart need not build them. The files are only ever a copy of what the store
// holds: what changed after they were written is taken from the store, and damaged ones are thrown away. On a full disk none is
// written.
//
//	DIR/GENERATION/v-HASH/   one per vector; HASH is of its name, which may be any text

func generationDir(dir string, generation uint64) string {
	return filepath.Join(dir, strconv.FormatUint(generation, 10))
}

// indexDir is where the index of a vector is kept, "" if nothing is.
func (s *Shard) indexDir(name string) string {
	if s.dir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(s.dir, "v-"+hex.EncodeToString(sum[:12]))
}

// forget removes the saved index of a vector.
func (s *Shard) forget(name string) error {
	if s.dir == "" {
		return nil
	}
	return dense.RemoveFiles(s.indexDir(name))
}

// RemoveSaved removes the saved indexes of a generation, which nobody uses any more.
func RemoveSaved(dir string, generation uint64) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(generationDir(dir, generation))
}

// SavedGenerations lists the generations of which indexes are saved.
func SavedGenerations(dir string) (found []uint64, err error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if g, err := strconv.ParseUint(e.Name(), 10, 64); err == nil {
			found = append(found, g)
		}
	}
	return found, err
}

// keeper saves indexes in the background when much of them is new.
type keeper struct {
	wg      sync.WaitGroup
	wake    chan struct{} // capacity 1: an index has nothing left to build
	closing chan struct{}
}

func newKeeper() *keeper {
	return &keeper{wake: make(chan struct{}, 1), closing: make(chan struct{})}
}

func (k *keeper) due() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) close() {
	close(k.closing)
	k.wg.Wait()
}

func (s *Shard) keep() {
	for {
		select {
		case <-s.keeper.closing:
			return
		case <-s.keeper.wake:
		}
		s.mu.RLock()
		spaces := s.mu.spaces
		s.mu.RUnlock()
		for name, sp := range spaces {
			if sp.dense == nil || !sp.dense.SaveDue(false) || s.store.Full() {
				continue
			}
			if err := s.save(name, sp); err != nil && !fault.Is(err, fault.Unavailable) {
				s.log.Warn("cannot save an index; a restart will build it anew", "generation", s.gen, "vector", name, "error", err)
			}
		}
	}
}

// save saves one index.
func (s *Shard) save(name string, sp *space) error {
	return sp.dense.Save(s.indexDir(name), func() (m dense.Moment, err error) {
		r, err := s.read(nil, func(r *reader) error {
			if r.spaces[name] != sp {
				return fault.New(fault.Unavailable, "the vector is gone")
			}
			m.Snapshot = sp.dense.Snapshot()
			return nil
		})
		if err != nil {
			return m, err
		}
		m.Applied, m.ID = r.applied, r.rows.id
		m.Done = func() {
			m.Release()
			r.close()
		}
		return m, nil
	})
}

// saveLast saves what is new before the shard closes: nobody changes or reads it any more.
func (s *Shard) saveLast() {
	if s.dir == "" || s.mu.failed != nil || s.mu.pending != 0 || s.store.Full() {
		return
	}
	var errs []error
	for name, sp := range s.mu.spaces {
		if sp.dense == nil || !sp.dense.SaveDue(true) {
			continue
		}
		errs = append(errs, sp.dense.Save(s.indexDir(name), func() (dense.Moment, error) {
			m := dense.Moment{Snapshot: sp.dense.Snapshot(), Applied: s.mu.applied, ID: s.mu.table.rows.id}
			m.Done = m.Release
			return m, nil
		}))
	}
	if err := errors.Join(errs...); err != nil { // nothing is lost
		s.log.Warn("cannot save an index; a restart will build it anew", "generation", s.gen, "error", err)
	}
}
