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

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Load fills an empty index with what Save kept in a directory. label returns the label of a point whose vector is still
// the one that was saved, with the change applied being the last that the saved index shows. An error of class
// fault.NotFound says that nothing is saved; after any error the index is empty.
func (x *Index) Load(dir string, label func(id point.ID, applied uint64) (uint32, bool)) (applied uint64, err error) {
	s, err := readState(dir)
	if err != nil {
		return 0, err
	}
	if s.size != x.size || s.distance != x.distance {
		return 0, damaged("vectors of %d components compared by %s", s.size, s.distance)
	}
	c, err := x.newCore(x.full.Load())
	if err != nil {
		return 0, err
	}
	if err := x.restore(c, dir, s, label); err != nil {
		return 0, errors.Join(err, c.release())
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	empty := x.mu.core
	x.mu.core, x.mu.seq, x.mu.count = c, 1, int(c.next-c.dead.Load())
	x.kept.files = files{core: c, number: s.core, graph: s.graph, rows: s.rows, linked: s.linked, sums: s.sums}
	x.publishLocked()
	x.wakeLocked()
	return s.applied, empty.release()
}

func (x *Index) restore(c *core, dir string, s *saved, label func(point.ID, uint64) (uint32, bool)) error {
	if s.rows > hnsw.MaxRows {
		return damaged("%d rows", s.rows)
	}
	if err := c.vectors.Grow(int(s.rows)); err != nil {
		return err
	}
	if err := readRows(filepath.Join(dir, rowsName(s.core)), c, s.sums, s.rows); err != nil {
		return err
	}
	n, err := x.restoreNet(c, filepath.Join(dir, graphName(s.graph)), s)
	if err != nil {
		return err
	}
	c.net.Store(n)
	c.linked.Store(s.linked)
	c.restoreLabels(s, label)
	return nil
}

// restoreLabels gives rows to the labels that still have them; the others are dead since the first Publish.
func (c *core) restoreLabels(s *saved, label func(point.ID, uint64) (uint32, bool)) {
	blocks := make([]*block, (s.rows+rowsPerBlock-1)/rowsPerBlock)
	for i := range blocks {
		blocks[i] = new(block)
	}
	c.blocks.Store(&blocks)
	c.next = s.rows
	for row := range s.rows {
		l, ok := uint32(0), false
		if s.lives[row] {
			l, ok = label(s.points[row], s.applied)
		}
		if !ok || c.rowOf.get(l) != 0 {
			c.bury(row, 1)
			continue
		}
		b, at := c.place(row)
		b.labels[at] = l
		c.rowOf.set(l, row+1)
	}
}

// readRows reads the vectors into memory, and compares their sums.
func readRows(name string, c *core, sums []uint32, rows uint32) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return fault.Wrap(fault.Corrupt, err, "read saved vectors")
	}
	defer func() { _ = f.Close() }() // it was only read
	length := 4 * c.size
	return inParallel(len(sums), func(i int) error {
		from := uint32(i) * rowsPerBlock
		n := int(min(rows-from, rowsPerBlock))
		buffer := make([]byte, n*length)
		if _, err := f.ReadAt(buffer, int64(from)*int64(length)); err != nil && (!errors.Is(err, io.EOF) || n == 0) {
			return fault.Wrap(fault.Corrupt, err, "read saved vectors")
		}
		if crc32.Checksum(buffer, castagnoli) != sums[i] {
			return damaged("wrong checksum of the vectors from row %d on", from)
		}
		for k := range n {
			copy(bytesOf(c.vector(from+uint32(k))), buffer[k*length:])
		}
		return nil
	})
}

// restoreNet reads the graph, and makes the codes again.
func (x *Index) restoreNet(c *core, name string, s *saved) (n *net, err error) {
	n = &net{core: c, config: Config{M: int(s.m), EfConstruct: int(s.efConstruct), Codes: s.codes, OnDisk: c.dir != ""}}
	n.wider.Store(mostDisplaced)
	n.config.Codes.OnDisk = x.full.Load().Codes.OnDisk // not a matter of what is saved
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.whole, err = quant.NewFull(x.distance, x.size); err != nil {
		return n, err
	}
	if n.graph, err = loadGraph(name); err != nil {
		return n, err
	}
	there := 0
	for row := range s.rows {
		if n.graph.Has(row) {
			there++
		}
	}
	if o := n.graph.Options(); there != n.graph.Len() || o.M != max(int(s.m), hnsw.MinM) || o.EfConstruct != max(int(s.efConstruct), 1) {
		return n, damaged("the graph is of other rows, or of another shape")
	}
	return n, x.restoreCodes(c, n, s)
}

func loadGraph(name string) (*hnsw.Graph, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "read saved graph")
	}
	defer func() { _ = f.Close() }() // it was only read
	return hnsw.Load(f)
}

func (x *Index) restoreCodes(c *core, n *net, s *saved) (err error) {
	if len(s.codec) == 0 {
		return nil
	}
	if n.codec, err = quant.Unmarshal(s.codec); err != nil {
		return err
	}
	if !fits(n.codec, x.distance, x.size) {
		return damaged("the codec is of other vectors")
	}
	if err := x.newCodes(n); err != nil {
		return err
	}
	if err := n.codes.Grow(int(s.rows)); err != nil {
		return err
	}
	return inParallel(len(s.sums), func(i int) error {
		for row := uint32(i) * rowsPerBlock; row < min(s.rows, uint32(i+1)*rowsPerBlock); row++ {
			if n.graph.Has(row) {
				n.codec.Encode(c.vector(row), n.codes.Row(row))
			}
		}
		return nil
	})
}

// fits reports whether a codec is one of vectors of a distance and a size, as its marshalled form says.
func fits(codec quant.Codec, d vec.Distance, size int) bool {
	gotDistance, gotSize, err := quant.Describe(codec.Marshal(nil))
	return err == nil && gotDistance == d && gotSize == size
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
