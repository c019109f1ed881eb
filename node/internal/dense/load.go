package dense

import (
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Loaded is a saved index in memory, whose rows do not have labels yet. It ends with Use or Drop.
type Loaded struct {
	x    *Index
	core *core
	saved
	asSaved bool // the rows lie in memory as they do in the file
}

// Load fills an empty index with what Save kept in a directory. label returns the label of a point whose vector is still
// the one that was saved, with the change applied being the last that the saved index shows. An error of class
// fault.NotFound says that nothing is saved; after any error the index is empty.
func (x *Index) Load(dir string, label func(id point.ID, applied uint64) (uint32, bool)) (applied uint64, err error) {
	l, err := x.Read(dir)
	if err != nil {
		return 0, err
	}
	return l.Use(label)
}

// Read reads what Save kept in a directory, and compares all sums. It does not change the index, and may run while others
// are read. Errors are those of Load.
func (x *Index) Read(dir string) (*Loaded, error) {
	s, err := readState(dir)
	if err != nil {
		return nil, err
	}
	if s.size != x.form.size || s.distance != x.form.distance || s.rows > hnsw.MaxRows {
		return nil, damaged("%d vectors of %d components compared by %s", s.rows, s.size, s.distance)
	}
	c, err := x.newCore(x.full.Load())
	if err != nil {
		return nil, err
	}
	l := &Loaded{x: x, core: c, saved: *s, asSaved: s.datatype == x.form.datatype}
	if err := l.read(dir); err != nil {
		return nil, errors.Join(err, l.Drop())
	}
	return l, nil
}

// Drop gives the memory back.
func (l *Loaded) Drop() error { return l.core.release() }

// Use puts what was loaded into its index, which is still empty. What label means, Load says.
func (l *Loaded) Use(label func(id point.ID, applied uint64) (uint32, bool)) (applied uint64, err error) {
	x, c := l.x, l.core
	l.giveLabels(label)
	x.mu.Lock()
	defer x.mu.Unlock()
	empty := x.mu.core
	x.mu.core, x.mu.seq, x.mu.count = c, 1, int(c.next-c.dead.Load())
	x.kept.files = files{number: l.saved.core, graph: l.graph}
	if l.asSaved {
		x.kept.files = files{core: c, number: l.saved.core, graph: l.graph, rows: l.rows, linked: l.linked, sums: l.sums}
	}
	x.publishLocked()
	x.wakeLocked()
	c.forget()
	return l.applied, empty.release()
}

// giveLabels gives rows to the labels that still have them; the others are dead since the first Publish.
func (l *Loaded) giveLabels(label func(point.ID, uint64) (uint32, bool)) {
	c := l.core
	blocks := make([]*block, (l.rows+rowsPerBlock-1)/rowsPerBlock)
	for i := range blocks {
		blocks[i] = new(block)
	}
	c.blocks.Store(&blocks)
	c.next = l.rows
	for row := range l.rows {
		to, ok := uint32(0), false
		if l.lives[row] {
			to, ok = label(l.points[row], l.applied)
		}
		if !ok || c.rowOf.get(to) != 0 {
			c.bury(row, 1)
			continue
		}
		b, at := c.place(row)
		b.labels[at] = to
		c.rowOf.set(to, row+1)
	}
}

// read reads the graph beside the rows, of which codes are made as they come.
func (l *Loaded) read(dir string) error {
	n := &net{core: l.core, config: Config{M: int(l.m), EfConstruct: int(l.efConstruct), Codes: l.codes, OnDisk: l.core.dir != ""}}
	l.core.net.Store(n)    // so that the memory of both is given back together
	now := l.x.full.Load() // where it lies is not a matter of what is saved
	n.config.Codes.OnDisk, n.config.GraphOnDisk = now.Codes.OnDisk, now.GraphOnDisk
	n.wider.Store(l.wider)
	n.judged.Store(l.judged)
	l.core.linked.Store(l.linked)
	if err := l.readCodec(n); err != nil {
		return err
	}
	if err := l.core.vectors.Grow(int(l.rows)); err != nil {
		return err
	}
	var wg sync.WaitGroup
	var failed error
	file, err := l.x.newFile(l.core, n.config.GraphOnDisk)
	if err != nil {
		return err
	}
	wg.Go(func() { failed = l.readGraph(n, filepath.Join(dir, graphName(l.graph)), file) })
	err = l.readRows(n, filepath.Join(dir, rowsName(l.saved.core)))
	wg.Wait()
	return errors.Join(err, failed)
}

// readGraph reads the graph, and keeps its links in another file, or in memory if that is "".
func (l *Loaded) readGraph(n *net, name, live string) error {
	f, err := os.Open(name)
	if err != nil {
		return fault.Wrap(fault.Corrupt, err, "read saved graph")
	}
	defer func() { _ = f.Close() }() // it was only read
	if n.graph, err = hnsw.Load(f, live); err != nil {
		return err
	}
	there := 0
	for row := range l.rows {
		if n.graph.Has(row) {
			there++
		}
	}
	if o := n.graph.Options(); there != n.graph.Len() || o.M != max(int(l.m), hnsw.MinM) || o.EfConstruct != max(int(l.efConstruct), 1) {
		return damaged("the graph is of other rows, or of another shape")
	}
	return nil
}

func (l *Loaded) readCodec(n *net) (err error) {
	if len(l.codec) == 0 {
		return nil
	}
	if n.codec, err = quant.Unmarshal(l.codec); err != nil {
		return err
	}
	if !fits(n.codec, l.distance, l.size) {
		return damaged("the codec is of other vectors")
	}
	if err := l.x.newCodes(n); err != nil {
		return err
	}
	return n.codes.Grow(int(l.rows))
}

// fits reports whether a codec is one of vectors of a distance and a size, as its marshalled form says.
func fits(codec quant.Codec, d vec.Distance, size int) bool {
	gotDistance, gotSize, err := quant.Describe(codec.Marshal(nil))
	return err == nil && gotDistance == d && gotSize == size
}

// readRows reads the vectors into memory once their sums are right, and makes codes of them.
func (l *Loaded) readRows(n *net, name string) error {
	was, err := newForm(l.datatype, l.distance, l.size)
	if err != nil {
		return err
	}
	if !l.asSaved && (l.datatype != vec.Float32 || l.x.form.normalises()) {
		return damaged("vectors are of %s, and were saved as %s", l.x.form.datatype, l.datatype)
	}
	f, err := os.Open(name)
	if err != nil {
		return fault.Wrap(fault.Corrupt, err, "read saved vectors")
	}
	defer func() { _ = f.Close() }() // it was only read
	length := was.bytes()
	return inParallel(len(l.sums), func(i int) error {
		from := uint32(i) * rowsPerBlock
		to := min(l.rows, from+rowsPerBlock)
		buffer := make([]byte, int(to-from)*length)
		if _, err := f.ReadAt(buffer, int64(from)*int64(length)); err != nil && !errors.Is(err, io.EOF) {
			return fault.Wrap(fault.Corrupt, err, "read saved vectors")
		}
		if crc32.Checksum(buffer, castagnoli) != l.sums[i] {
			return damaged("wrong checksum of the vectors from row %d on", from)
		}
		l.fill(n, from, to, buffer)
		return nil
	})
}

// fill writes rows that were read, and their codes. Rows that have not been linked get theirs once more when they are.
func (l *Loaded) fill(n *net, from, to uint32, saved []byte) {
	c := l.core
	length := len(saved) / int(to-from)
	buffer := c.form.buffer()
	for row := from; row < to; row++ {
		at := saved[int(row-from)*length:][:length]
		if l.asSaved {
			copy(c.row(row), at)
		} else {
			c.form.rows.Encode(unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(at))), l.size), c.row(row))
		}
		if n.codec != nil {
			n.codec.Encode(c.vector(row, buffer), n.codes.Row(row))
		}
	}
}

// inParallel calls fn with 0..n-1, on all processors. It returns the first error.
func inParallel(n int, fn func(int) error) error {
	var next atomic.Int64
	errs := make([]error, max(1, min(n, runtime.GOMAXPROCS(0))))
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				if errs[w] = fn(i); errs[w] != nil {
					next.Store(int64(n))
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
