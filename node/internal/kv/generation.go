package kv

import (
	"context"
	"sort"
)

// Generations lists the replica generations of which anything is stored, ascending.
func (s *Store) Generations() (generations []uint64, err error) {
	err = s.withView(func(v *View) error { generations, err = v.generations(); return err })
	return generations, err
}

// generations finds them by one seek each.
func (v *View) generations() (found []uint64, err error) {
	it, err := v.iterator([]byte{spaceGeneration})
	if err != nil {
		return nil, err
	}
	defer it.close(&err)
	for ok := it.First(); ok; {
		key := it.Key()
		if len(key) < generationLen {
			ok = it.Next()
			continue
		}
		g := cutGeneration(key)
		found = append(found, g)
		if g+1 == 0 {
			break
		}
		ok = it.SeekGE(prefix(g + 1))
	}
	return found, nil
}

// DropGeneration removes everything of a generation in one step, whatever its size. Whoever used the generation must have
// stopped. Afterwards it is as if nothing had ever been stored.
func (s *Store) DropGeneration(ctx context.Context, generation uint64) error {
	pre := prefix(generation)
	r := &request{batch: &Batch{Urgent: true}, drops: generation, done: make(chan error, 1)}
	r.batch.add(&r.batch.body, write{key: pre, end: after(pre)})
	return s.await(ctx, ctx.Done(), r)
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
	last := base[0]
	key, err := v.lastKey(keyField(generation, fieldLog))
	if err != nil {
		return nil, strays, err
	}
	if key != nil {
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
