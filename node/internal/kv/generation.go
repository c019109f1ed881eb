package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"sort"

	"github.com/dgraph-io/badger/v4"
)

// dropStep is how many keys one commit of a removal deletes. Badger's DropPrefix would block all writes meanwhile.
const dropStep = 4096

// Generations lists the replica generations of which anything is stored, ascending, without those being dropped.
func (s *Store) Generations() (generations []uint64, err error) {
	err = s.withView(func(v *View) error {
		dropping := map[uint64]bool{}
		for _, g := range v.tombstones() {
			dropping[g] = true
		}
		for _, g := range v.generations() {
			if !dropping[g] {
				generations = append(generations, g)
			}
		}
		return nil
	})
	return generations, err
}

// generations finds them by one seek each.
func (v *View) generations() (found []uint64) {
	it := v.txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceGeneration}})
	defer it.Close()
	for it.Seek([]byte{spaceGeneration}); it.Valid(); {
		key := it.Item().Key()
		if len(key) < generationLen {
			it.Next()
			continue
		}
		g := cutGeneration(key)
		found = append(found, g)
		if g+1 == 0 {
			break
		}
		it.Seek(prefix(g + 1))
	}
	return found
}

func (v *View) tombstones() (found []uint64) {
	it := v.txn.NewIterator(badger.IteratorOptions{Prefix: []byte{spaceTombstone}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if key := it.Item().Key(); len(key) == generationLen {
			found = append(found, binary.BigEndian.Uint64(key[1:]))
		}
	}
	return found
}

// DropGeneration removes everything of a generation, in bounded steps between which others commit. It writes a
// tombstone first: if it is interrupted, the next Open finishes it, and until then Generations leaves the generation
// out. Whoever used the generation must have stopped. Afterwards it is as if nothing had ever been stored.
func (s *Store) DropGeneration(ctx context.Context, generation uint64) error {
	var b Batch
	b.add(&b.body, write{keyTombstone(generation), sealSmall(keyTombstone(generation), nil)})
	if err := s.Commit(ctx, &b); err != nil {
		return err
	}
	return s.finishDrop(ctx, generation)
}

func (s *Store) finishDrop(ctx context.Context, generation uint64) error {
	for next := prefix(generation); next != nil; {
		b, last, err := s.dropBatch(ctx, generation, next)
		if err != nil {
			return err
		}
		if err := s.Commit(ctx, b); err != nil {
			return err
		}
		next = last
	}
	s.mu.Lock()
	delete(s.mu.logs, generation)
	s.mu.Unlock()
	var b Batch
	b.add(&b.body, write{key: keyTombstone(generation)})
	return s.Commit(ctx, &b)
}

// dropBatch deletes the next keys from one on. It returns where to go on, nil at the end: to begin at the front again would pass
// by everything that is deleted already, and Badger keeps that for a while.
func (s *Store) dropBatch(ctx context.Context, generation uint64, from []byte) (b *Batch, next []byte, err error) {
	b = &Batch{}
	err = s.withView(func(v *View) error {
		return v.scan(ctx, prefix(generation), from, func(key []byte, _ *badger.Item) (bool, error) {
			key = bytes.Clone(key)
			if b.count == dropStep {
				next = key
				return false, nil
			}
			b.add(&b.body, write{key: key})
			return true, nil
		})
	})
	return b, next, err
}

func (s *Store) finishDrops() error {
	v, err := s.View()
	if err != nil {
		return err
	}
	interrupted := v.tombstones()
	v.Close()
	for _, g := range interrupted {
		if err := s.finishDrop(context.Background(), g); err != nil {
			return err
		}
	}
	return nil
}

// loadLogs finds the end of every log. Damage stays with its log: the other replicas of the node work on.
func (s *Store) loadLogs() error {
	generations, err := s.Generations()
	if err != nil {
		return err
	}
	for _, g := range generations {
		end, strays, err := s.loadLog(g)
		if err != nil {
			s.log.Error("log is damaged", "generation", g, "error", err)
			end = &logEnd{broken: err}
		}
		if !strays.Empty() {
			if err := s.Commit(context.Background(), strays); err != nil {
				return err
			}
		}
		s.mu.Lock()
		s.mu.logs[g] = end
		s.mu.Unlock()
	}
	return nil
}

// loadLog finds the end of a log, and the keys of an entry at the end that a crash left without all its parts.
func (s *Store) loadLog(generation uint64) (end *logEnd, strays *Batch, err error) {
	strays = &Batch{}
	v, err := s.View()
	if err != nil {
		return nil, strays, err
	}
	defer v.Close()
	base, err := v.numbers(keyField(generation, fieldBase), 2)
	if err != nil {
		return nil, strays, err
	}
	if err := v.belowBase(generation, base[0], strays); err != nil {
		return nil, strays, err
	}
	last := base[0]
	if key := v.lastKey(keyField(generation, fieldLog)); key != nil {
		index, part, err := cutLogKey(key)
		if err != nil {
			return nil, strays, err
		}
		whole, err := v.wholeEntry(generation, index, part)
		if err != nil {
			return nil, strays, err
		}
		if !whole {
			for p := range part + 1 {
				strays.add(&strays.body, write{key: keyLog(generation, index, part-p)})
			}
			index--
		}
		last = max(last, index)
	}
	end, err = v.findRuns(generation, base, last)
	return end, strays, err
}

// belowBase gathers what a compaction that a crash ended has left.
func (v *View) belowBase(generation, base uint64, strays *Batch) error {
	pre := keyField(generation, fieldLog)
	return v.scan(context.Background(), pre, pre, func(key []byte, _ *badger.Item) (bool, error) {
		index, _, err := cutLogKey(key)
		if err != nil || index > base {
			return false, err
		}
		strays.add(&strays.body, write{key: bytes.Clone(key)})
		return true, nil
	})
}

// wholeEntry reports whether lastPart is the last one of the entry at index.
func (v *View) wholeEntry(generation, index uint64, lastPart uint16) (bool, error) {
	value, err := v.get(keyLog(generation, index, 0))
	if value == nil || err != nil {
		return false, err
	}
	h, err := openEntryHeader(index, value)
	return err == nil && h.parts() == int(lastPart)+1, err
}

// findRuns finds where terms change: they only grow along a log, so a binary search finds each run's end.
func (v *View) findRuns(generation uint64, base []uint64, last uint64) (*logEnd, error) {
	end := emptyLog(base[0], base[1])
	end.last = last
	term := base[1]
	for at := end.first; at <= last; {
		t, err := v.termAt(generation, at)
		if err != nil {
			return nil, err
		}
		if t != term {
			end.runs = append(end.runs, run{at, t})
			term = t
		}
		n := sort.Search(int(last-at), func(i int) bool {
			var other uint64
			if err == nil {
				other, err = v.termAt(generation, at+1+uint64(i))
			}
			return err != nil || other != t
		})
		if err != nil {
			return nil, err
		}
		at += 1 + uint64(n)
	}
	return end, nil
}

func (v *View) termAt(generation, index uint64) (uint64, error) {
	value, err := v.get(keyLog(generation, index, 0))
	if err != nil {
		return 0, err
	}
	if value == nil {
		return 0, damaged("log of generation %d: entry %d is missing", generation, index)
	}
	h, err := openEntryHeader(index, value)
	return h.term, err
}
