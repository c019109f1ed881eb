package dense

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// net is the graph of a core and the codes that it is walked on.
type net struct {
	graph  *hnsw.Graph
	config Config
	codec  quant.Codec  // of the codes; nil: the graph is walked on whole vectors
	codes  *arena.Arena // by row, those of linked rows
	core   *core
	judged atomic.Uint32 // of how many rows the codes were compared with whole vectors last; 0: not yet
	wider  atomic.Uint32 // how many more than ten candidates by codes hold the true ten

	scorers sync.Pool // of quant.Scorer, of codes
}

// newNet makes an empty graph for a core. Codes are learned from the rows of another one, or of the same, up to a number.
func (x *Index) newNet(c *core, config Config, from *core, rows uint32) (_ *net, err error) {
	n := &net{config: config, core: c}
	n.wider.Store(mostDisplaced)
	if n.codec, err = x.learn(from, &config, rows); err != nil {
		return nil, err
	}
	if n.codec != nil {
		if err := x.newCodes(n); err != nil {
			return nil, err
		}
	}
	file, err := x.newFile(c, config.GraphOnDisk)
	if err == nil {
		n.graph, err = hnsw.New(hnsw.Options{M: degree(config.M), EfConstruct: max(config.EfConstruct, 1), File: file})
	}
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *net) forget() {
	n.graph.Forget()
	if n.codes != nil {
		n.codes.Forget()
	}
}

func (x *Index) newCodes(n *net) (err error) {
	n.codes, err = x.newRows(n.core, stride(n.codec.Bytes()), n.config.OnDisk && n.config.Codes.OnDisk)
	return err
}

// line is how many bytes memory fetches at a time.
const line = 64

// stride lets rows begin at lines where that wastes little.
func stride(bytes int) int {
	if over := bytes % line; over != 0 && line-over <= bytes/4 {
		return bytes + line - over
	}
	return (bytes + 3) &^ 3
}

func (n *net) close() (err error) {
	if n.graph != nil {
		err = n.graph.Close()
	}
	if n.codes != nil {
		err = errors.Join(err, n.codes.Close())
	}
	return err
}

// builder returns what compares rows with one another while the graph is built.
func (n *net) builder() (s quant.Scorer, whole bool) {
	whole = n.config.Codes.coarse()
	return n.scorer(whole), whole
}

// scorer returns what compares rows as the graph is walked: codes, unless whole is asked for.
func (n *net) scorer(whole bool) quant.Scorer {
	if whole || n.codec == nil {
		return n.core.scorer()
	}
	if s, ok := n.scorers.Get().(quant.Scorer); ok {
		return s
	}
	return n.codec.NewScorer(n.codes)
}

// done takes a scorer back.
func (n *net) done(s quant.Scorer, whole bool) {
	if whole || n.codec == nil {
		n.core.done(s)
		return
	}
	n.scorers.Put(s)
}

// setQuery has a scorer that compares with whole vectors or codes compare with a query.
func (n *net) setQuery(s quant.Scorer, whole bool, query []float32) {
	if !whole && n.codec != nil {
		query = n.core.form.compared(query)
	}
	s.Query(query)
}

// asking returns a scorer that compares with a vector.
func (n *net) asking(whole bool, v []float32) quant.Scorer {
	s := n.scorer(whole)
	n.setQuery(s, whole, v)
	return s
}

// insert encodes a row, and links it; buffer is one of the form's.
func (n *net) insert(row uint32, space quant.Scorer, buffer []float32) error {
	if n.codec != nil {
		n.codec.Encode(n.core.vector(row, buffer), n.codes.Row(row))
	}
	if n.graph.Has(row) { // it was saved while it was being linked
		return nil
	}
	return n.graph.Insert(row, space)
}

// How codes are learned: from so many rows.
const (
	sampleRows  = 4096
	largeSample = 10_000 // of codes that somebody declared
	productSeed = 1
)

// learn makes the codec that a graph is to be walked on, nil for whole vectors.
func (x *Index) learn(c *core, config *Config, rows uint32) (quant.Codec, error) {
	codes := &config.Codes
	switch codes.Kind {
	case Whole:
		return nil, nil
	case Scalar:
		return quant.TrainScalar(x.form.distance, x.form.size, codes.Quantile, c.sample(rows, largeSample))
	case Product:
		sample := c.sample(rows, largeSample)
		return quant.TrainProduct(x.worker.ctx, x.form.distance, x.form.size, int(codes.Compression), sample, x.full.Load().threads(), productSeed)
	case Binary:
		return quant.TrainBinary(x.form.distance, x.form.size, codes.Bits, codes.Query, c.sample(rows, largeSample))
	case Automatic:
	}
	return x.learnBytes(c.sample(rows, sampleRows), config.OnDisk && x.dir != "")
}

// learnBytes makes the codec that nobody declared: of bytes, or, for vectors on the disk, which nobody would put there who had
// memory to spare, of half as much.
func (x *Index) learnBytes(sample [][]float32, onDisk bool) (quant.Codec, error) {
	d, size, coarsest := x.form.distance, x.form.size, x.coarsest.Load()
	if coarsest == wholeForm || x.form.datatype == vec.ByteType { // codes were tried, or would be as long
		return nil, nil
	}
	if onDisk && coarsest == packedForm {
		codec, err := quant.TrainPacked(d, size, packedQuantile, sample)
		if err != nil {
			return nil, err
		}
		if ok, err := displacement(codec, d, size, sample, mostPacked); err != nil || ok {
			return codec, err
		}
	}
	codec, err := quant.TrainScalar(d, size, automaticQuantile, sample)
	if err != nil {
		return nil, err
	}
	if ok, err := displacement(codec, d, size, sample, mostDisplaced); err != nil || !ok {
		return nil, err
	}
	return codec, nil
}

// The forms that a graph may be walked on if nobody declared one, the coarsest first.
const (
	packedForm uint32 = iota
	byteForm
	wholeForm
)

func packed(c quant.Codec) bool {
	s, ok := c.(*quant.Scalar)
	return ok && s.Packed()
}

// These leave out what would make the steps of all components coarse: of 16 steps more than of 256.
const (
	automaticQuantile = 0.999
	packedQuantile    = 0.99
)

// sample returns about most rows that live, evenly spread.
func (c *core) sample(rows, most uint32) (sample [][]float32) {
	step := max(1, rows/most)
	for row := uint32(0); row < rows; row += step {
		if b, at := c.place(row); b.died[at].Load() == 0 {
			sample = append(sample, c.vector(row, c.form.buffer()))
		}
	}
	return sample
}
