package dense

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

// core is the memory of an index between two times that it is built anew. One goroutine appends; all others read rows
// that they know from a snapshot. It is given back when nobody uses it any more: the index, its worker, snapshots.
type core struct {
	form    *form
	dir     string // where the vectors' file lies; "": they are in memory
	files   []string
	users   users
	vectors *arena.Arena
	blocks  atomic.Pointer[[]*block] // grown by copying: a reader's list holds at least what its snapshot counts
	rowOf   labelMap                 // the newest row of each label
	next    uint32                   // rows written
	dead    atomic.Uint32            // of them

	scorers sync.Pool // of quant.Scorer, of vectors

	net    atomic.Pointer[net] // nil: there is no graph yet
	linked atomic.Uint32       // the rows below are in the graph, or died before they came in
	subs   subs                // graphs of the rows of one payload value
}

// rowsPerBlock is a multiple of wordRows.
const rowsPerBlock = 1024

// block is what is known of some rows. The label of a row, as its vector, is written before any snapshot counts it.
type block struct {
	labels [rowsPerBlock]uint32
	before [rowsPerBlock]uint32        // 1 + the row that the label had before, 0 for none
	died   [rowsPerBlock]atomic.Uint64 // by row: the Publish that ended it; 0: it lives
	dead   atomic.Uint32               // how many rows of the block died
}

// newCore makes an empty core as the configuration wants it.
func (x *Index) newCore(config *Config) (c *core, err error) {
	c = &core{form: &x.form}
	if config.OnDisk {
		c.dir = x.dir
	}
	if c.vectors, err = x.newRows(c, x.form.bytes(), config.OnDisk); err != nil {
		return nil, errors.Join(err, c.removeFiles())
	}
	c.blocks.Store(&[]*block{})
	c.users.n.Store(1)
	return c, nil
}

// release ends the use of one user.
func (c *core) release() error {
	if !c.users.leave() {
		return nil
	}
	err := errors.Join(c.subs.close(), c.vectors.Close())
	if n := c.net.Load(); n != nil {
		err = errors.Join(err, n.close())
	}
	return errors.Join(err, c.removeFiles())
}

// livePrefix marks files that are of use only while the index is open.
const livePrefix = "live-"

// newRows makes memory for rows, in a file if that is wanted and there is a directory.
func (x *Index) newRows(c *core, stride int, inFile bool) (*arena.Arena, error) {
	file, err := x.newFile(c, inFile)
	if err != nil {
		return nil, err
	}
	return arena.New(arena.Options{Stride: stride, File: file})
}

// newFile names a file of a core's own, if one is wanted and there is a directory: else "", for memory.
func (x *Index) newFile(c *core, wanted bool) (name string, err error) {
	if !wanted || x.dir == "" {
		return "", nil
	}
	if err := disk.MakeDir(vfs.Default, x.dir); err != nil {
		return "", err
	}
	name = filepath.Join(x.dir, fmt.Sprintf("%s%d", livePrefix, x.live.Add(1)))
	c.files = append(c.files, name)
	return name, nil
}

// forget lets the system take back the memory of what lies in files.
func (c *core) forget() {
	c.vectors.Forget()
	if n := c.net.Load(); n != nil {
		n.forget()
	}
}

// fetch has the system read rows from..to-1, wordRows at most, if they lie in a file.
func (c *core) fetch(from, to uint32) {
	var rows [wordRows]uint32
	n := min(int(to-from), wordRows)
	for i := range n {
		rows[i] = from + uint32(i)
	}
	c.vectors.Fetch(rows[:n])
}

func (c *core) removeFiles() (err error) {
	for _, name := range c.files {
		err = errors.Join(err, removeIfThere(name))
	}
	return err
}

// removeLive removes what a process that was killed has left.
func removeLive(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, livePrefix+"*"))
	for _, name := range names {
		err = errors.Join(err, removeIfThere(name))
	}
	return err
}

// add appends a row of a vector, which is to be the label's.
func (c *core) add(label uint32, v []float32) error {
	return c.append(label, func(row []byte) { c.form.rows.Encode(v, row) })
}

// append appends a row that is written by who calls.
func (c *core) append(label uint32, write func(row []byte)) error {
	row := c.next
	if row >= hnsw.MaxRows {
		return fault.New(fault.Exhausted, "vector index: %d rows are all there can be", row)
	}
	if err := c.vectors.Grow(int(row) + 1); err != nil {
		return err
	}
	blocks := *c.blocks.Load()
	if int(row/rowsPerBlock) == len(blocks) {
		blocks = append(blocks[:len(blocks):len(blocks)], new(block))
		c.blocks.Store(&blocks)
	}
	write(c.row(row))
	b := blocks[row/rowsPerBlock]
	b.labels[row%rowsPerBlock] = label
	b.before[row%rowsPerBlock] = c.rowOf.get(label)
	c.rowOf.set(label, row+1) // last: whoever sees it goes on to the row before
	c.next++
	return nil
}

// kill ends the row of a label with the Publish seq. It reports whether there was a row that lived.
func (c *core) kill(label uint32, seq uint64) bool {
	row, ok := c.newest(label)
	if !ok {
		return false
	}
	if b, at := c.place(row); b.died[at].Load() != 0 {
		return false
	}
	c.bury(row, seq)
	return true
}

// bury is kill for a row that lives.
func (c *core) bury(row uint32, seq uint64) {
	b, at := c.place(row)
	b.died[at].Store(seq)
	b.dead.Add(1)
	c.dead.Add(1)
}

// newest returns the newest row of a label, dead or alive.
func (c *core) newest(label uint32) (row uint32, ok bool) {
	row = c.rowOf.get(label)
	return row - 1, row != 0
}

func (c *core) place(row uint32) (b *block, at uint32) {
	return (*c.blocks.Load())[row/rowsPerBlock], row % rowsPerBlock
}

// row is what a row is written as.
func (c *core) row(row uint32) []byte { return c.vectors.Row(row) }

// vector returns what a row holds, as codes are made of it; buffer is one of the form's.
func (c *core) vector(row uint32, buffer []float32) []float32 {
	return c.form.vector(c.vectors.Table(), row, buffer)
}

// scorer returns what compares vectors; done takes it back.
func (c *core) scorer() quant.Scorer {
	if s, ok := c.scorers.Get().(quant.Scorer); ok {
		return s
	}
	return c.form.rows.NewScorer(c.vectors)
}

func (c *core) done(s quant.Scorer) { c.scorers.Put(s) }

func (c *core) label(row uint32) uint32 {
	b, at := c.place(row)
	return b.labels[at]
}

// livingBetween counts the rows from..to-1 that live.
func (c *core) livingBetween(from, to uint32) (n int) {
	for ; from < to; from++ {
		if b, at := c.place(from); b.died[at].Load() == 0 {
			n++
		}
	}
	return n
}

// labelMap maps labels to numbers, 0 where nothing was set. One goroutine sets, others read meanwhile.
type labelMap struct {
	chunks atomic.Pointer[[]*labelChunk]
}

const labelsPerChunk = 1024

type labelChunk [labelsPerChunk]atomic.Uint32

// chunk returns the numbers of the labels around one, or nil if none of them was set.
func (m *labelMap) chunk(label uint32) *labelChunk {
	chunks := m.chunks.Load()
	if chunks == nil || int(label/labelsPerChunk) >= len(*chunks) {
		return nil
	}
	return (*chunks)[label/labelsPerChunk]
}

func (m *labelMap) get(label uint32) uint32 {
	c := m.chunk(label)
	if c == nil {
		return 0
	}
	return c[label%labelsPerChunk].Load()
}

func (m *labelMap) set(label, value uint32) {
	var chunks []*labelChunk
	if p := m.chunks.Load(); p != nil {
		chunks = *p
	}
	at := int(label / labelsPerChunk)
	if at >= len(chunks) || chunks[at] == nil {
		grown := make([]*labelChunk, max(at+1, len(chunks)))
		copy(grown, chunks)
		grown[at] = new(labelChunk)
		m.chunks.Store(&grown)
		chunks = grown
	}
	chunks[at][label%labelsPerChunk].Store(value)
}
