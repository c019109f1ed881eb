package kv

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// errNoRoomToMerge ends a merging of tables for which there is no room.
var errNoRoomToMerge = errors.New("the disk has no room for merging tables")

// merges sees to it that merging tables, which alone gives back the room of what was deleted, and needs room before it does, finds it.
//
// What grows is refused while there is still room for what is in memory to be written to tables, and then for the largest merging
// that may come next (need). Where somebody else took that room, a merging may have half of the reserve. Finds it no room then, it is
// given up, and what it wrote is removed: those that run at once never hold all the room, each waiting for the others.
type merges struct {
	next   atomic.Uint64 // what the largest merging that may come next can take
	memory atomic.Uint64 // what is not in tables yet, and what write-ahead files may still be made
	mu     struct {
		sync.Mutex
		running map[int]uint64 // bytes that go into each merging under way, by its job
		givenUp int            // mergings, one after the other
		pause   time.Time      // none begins a table before
	}
}

// maxPause bounds how long mergings wait after some were given up.
const maxPause = time.Second

// begun notes what a merging reads: it writes as much at most. Pebble's lock is held.
func (m *merges) begun(info pebble.CompactionInfo) {
	bytes := uint64(0)
	for _, level := range info.Input {
		for _, table := range level.Tables {
			bytes += table.Size
		}
	}
	if info.Reason == "move" || info.Reason == "delete-only" {
		bytes = 0 // it writes nothing
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mu.running == nil {
		m.mu.running = map[int]uint64{}
	}
	m.mu.running[info.JobID] = bytes
}

// ended notes that a merging is over. Pebble's lock is held.
func (m *merges) ended(info pebble.CompactionInfo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.mu.running, info.JobID)
	if info.Err == nil {
		m.mu.givenUp = 0
	}
}

// need returns how much may still be written if nothing that grows is taken any more.
func (m *merges) need() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	running := uint64(0)
	for _, bytes := range m.mu.running {
		running += bytes
	}
	return m.memory.Load() + max(running, m.next.Load())
}

// roomToMerge gives up a piece of the reserve for a merging that finds no room, if it is the only one and memory does not wait to
// be written.
func (v *volume) roomToMerge() bool {
	return v.warden != nil && v.merges.count() == 1 && v.waiting.Load() == 0 && v.warden.NoRoom(false)
}

func (m *merges) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mu.running)
}

// giveUpMerge returns why a merging ends that finds no room. To Pebble it is cancelled: it removes what was written, and tries again.
func (v *volume) giveUpMerge() error {
	v.merges.mu.Lock()
	defer v.merges.mu.Unlock()
	v.merges.mu.pause = time.Now().Add(min(roomPause<<min(v.merges.mu.givenUp, 10), maxPause))
	v.merges.mu.givenUp++
	return fmt.Errorf("%w: %w", pebble.ErrCancelledCompaction, errNoRoomToMerge)
}

// stuck tells whether tables are not written or not merged for want of room.
func (v *volume) stuck() bool {
	if v.waiting.Load() > 0 {
		return true
	}
	v.merges.mu.Lock()
	defer v.merges.mu.Unlock()
	return v.merges.mu.givenUp > 0
}

// beforeMerge waits before a merging writes its next table: after another one was given up, for its room.
func (v *volume) beforeMerge() {
	v.merges.mu.Lock()
	pause := time.Until(v.merges.mu.pause)
	v.merges.mu.Unlock()
	if pause <= 0 {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.closing:
	}
}

// measure works out what may still be written, from how the database is. The committer calls it when tables were written or merged
// or memory has got a new one.
func (s *Store) measure() {
	if s.volume.warden == nil {
		return
	}
	m := s.db.Metrics()
	memory := m.MemTable.Size
	if had := uint64(m.WAL.Files + m.WAL.ObsoleteFiles); had < maxWALs {
		memory += (maxWALs - had) * uint64(s.volume.walSize)
	}
	s.volume.merges.memory.Store(memory)
	s.volume.merges.next.Store(s.nextMerge(m))
	s.volume.warden.Look()
}

// nextMerge returns how much the largest merging that may come next can take: all of level 0 with all of the level that it is merged
// into, or some tables of a level with those of the next.
func (s *Store) nextMerge(m *pebble.Metrics) uint64 {
	var sizes [len(m.Levels)]uint64
	for n := range m.Levels {
		sizes[n] = uint64(m.Levels[n].TablesSize)
	}
	base := s.baseLevel(sizes[:])
	next := sizes[0] + sizes[base]
	for n := base; n < len(sizes)-1; n++ {
		next = max(next, min(sizes[n]+sizes[n+1], mergedTables*uint64(s.tableSizes[n+2-base])))
	}
	return next
}

// baseLevel returns the level that level 0 is merged into: Pebble chooses it such that it is small, each next level being ten times as large.
func (s *Store) baseLevel(sizes []uint64) int {
	base, all := len(sizes)-1, sizes[0]
	for n := base; n > 0; n-- {
		all += sizes[n]
		if sizes[n] > 0 {
			base = n
		}
	}
	size := all - all/10
	for n := len(sizes) - 1; n > base; n-- {
		size /= 10
	}
	for ; base > 1 && size > s.baseSize; base-- {
		size /= 10
	}
	return base
}

// mergedTables is how many tables of its lower level a merging consists of at most: Pebble lets none grow beyond that.
const mergedTables = 25

// Full tells whether the disk is full: what can wait should not write then.
func (s *Store) Full() bool { return s.volume.warden != nil && s.volume.warden.Room().Full }

// short tells whether room is so short that merging had better be done one at a time.
func (s *Store) short() bool {
	if s.volume.warden == nil {
		return false
	}
	r := s.volume.warden.Room()
	return r.Full || r.Total > 0 && r.Free < r.Enough+s.volume.merges.need()
}

// fit chooses sizes such that what is under way, and what is merged at once, is a small part of the disk. total is 0 for one in memory.
func (s *Store) fit(o *pebble.Options, total uint64) {
	if total == 0 {
		total = math.MaxUint64
	}
	o.MemTableSize = min(max(total/memTableShare, minMemTable), memTableBytes)
	o.LBaseMaxBytes = int64(memTables * o.MemTableSize)
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = int64(min(max(total/tableShare, minTable), tableBytes<<i))
	}
	s.memTable, s.baseSize, s.tableSizes = o.MemTableSize, uint64(o.LBaseMaxBytes), o.TargetFileSizes
	s.volume.walSize = int64(o.MemTableSize) * 11 / 10
}
