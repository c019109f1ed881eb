package dense

import (
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// kept is what is on the disk of an index.
type kept struct {
	sync.Mutex // held while it is being written
	files
}

// files is which files there are, and what of a core is in them.
type files struct {
	core         *core // nil: nothing
	number       uint32
	graph        uint32
	rows, linked uint32
	sums         []uint32
}

// Moment is a snapshot with what its owner knows of the same moment.
type Moment struct {
	Snapshot
	Applied uint64                      // the last change that the snapshot shows
	ID      func(label uint32) point.ID // of labels that the snapshot shows
	Done    func()                      // ends the use of the moment
}

// SaveDue reports whether so much has changed since the index was saved that it should be again, now that nothing is
// left to be built. final: whether anything has.
func (x *Index) SaveDue(final bool) bool {
	x.mu.Lock()
	busy, closed := x.worker.busy, x.mu.closed
	x.mu.Unlock()
	s := x.state.Load()
	if closed || s.core.net.Load() == nil {
		return false
	}
	x.kept.Lock()
	defer x.kept.Unlock()
	if x.kept.core != s.core {
		return final || !busy
	}
	changed := (s.rows - x.kept.rows) + (s.core.linked.Load() - x.kept.linked)
	if final {
		return changed > 0
	}
	return !busy && changed > max(minUnsaved, s.rows/saveShare)
}

// An index is saved when more rows than these are not: every so many of all, and so many at least.
const (
	saveShare  = 10
	minUnsaved = 4096
)

// Save keeps the index in a directory, for Load, while searches and changes go on. Its graph is of the time when Save
// began, its rows are of the moment, which is taken after. Nothing is saved without a graph, or when the index was built
// anew meanwhile. Of an index that was closed nothing is saved either: that is an error of class fault.Unavailable.
func (x *Index) Save(dir string, moment func() (Moment, error)) error {
	x.kept.Lock()
	defer x.kept.Unlock()
	before, ok := x.snapshot()
	if !ok {
		return errClosed()
	}
	defer before.Release()
	n := before.core.net.Load()
	if n == nil {
		return nil
	}
	if err := disk.MakeDir(vfs.Default, dir); err != nil {
		return err
	}
	next := files{core: before.core, number: x.kept.number, graph: x.kept.graph + 1, linked: before.core.linked.Load()}
	if x.kept.core == next.core {
		next.rows, next.sums = x.kept.rows, x.kept.sums
	} else {
		next.number++
	}
	if err := writeFile(filepath.Join(dir, graphName(next.graph)), n.graph.Save); err != nil {
		return fault.Wrap(fault.Internal, err, "save graph")
	}
	m, err := moment()
	if err != nil {
		return err
	}
	defer m.Done()
	if m.core != next.core {
		return nil
	}
	return x.saveState(dir, n, &m, next)
}

func (x *Index) saveState(dir string, n *net, m *Moment, next files) error {
	var err error
	if next.sums, err = saveRows(filepath.Join(dir, rowsName(next.number)), m.state, next.rows, next.sums); err != nil {
		return fault.Wrap(fault.Internal, err, "save vectors")
	}
	next.rows = m.rows
	s := &saved{
		size: x.form.size, distance: x.form.distance, datatype: x.form.datatype, judged: n.judged.Load(), wider: n.wider.Load(), core: next.number, graph: next.graph, rows: next.rows, linked: min(next.linked, next.rows),
		m: uint32(n.config.M), efConstruct: uint32(n.config.EfConstruct), codes: n.config.Codes, applied: m.Applied, sums: next.sums,
		points: make([]point.ID, next.rows), lives: make([]bool, next.rows),
	}
	if n.codec != nil {
		s.codec = n.codec.Marshal(nil)
	}
	for row := range m.rows {
		if m.visible(row) {
			s.points[row], s.lives[row] = m.ID(m.core.label(row)), true
		}
	}
	if err := writeState(dir, s); err != nil {
		return fault.Wrap(fault.Internal, err, "save index")
	}
	x.kept.files = next
	m.core.forget() // which was all read
	return fault.Wrap(fault.Internal, sweepFiles(dir, s), "remove old files of an index")
}

// saveRows writes the rows behind those that are in the file already, and returns the sums of all blocks.
func saveRows(name string, s *state, from uint32, sums []uint32) (_ []uint32, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if from == 0 {
		if err := f.Truncate(0); err != nil {
			return nil, err
		}
	}
	if _, err := f.Seek(int64(from)*int64(s.core.form.bytes()), io.SeekStart); err != nil {
		return nil, err
	}
	sums = append([]uint32(nil), sums[:from/rowsPerBlock]...)
	sum := uint32(0)
	for row := from / rowsPerBlock * rowsPerBlock; row < s.rows; row++ {
		if row%wordRows == 0 {
			s.core.fetch(row, s.rows)
		}
		b := s.core.row(row)
		sum = crc32.Update(sum, castagnoli, b)
		if row%rowsPerBlock == rowsPerBlock-1 || row == s.rows-1 {
			sums, sum = append(sums, sum), 0
		}
		if row >= from {
			if _, err := f.Write(b); err != nil {
				return nil, err
			}
		}
	}
	return sums, f.Sync()
}
