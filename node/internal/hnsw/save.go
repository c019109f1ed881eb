package hnsw

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sync/atomic"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// A saved graph, little-endian:
//
//	header   magic 8 "OSTRHNSW", version u32, m u32, ef_construct u32, entry level + 1 u32, entry row u32,
//	         rows u32, lists u32, 0 u32, seed u64
//	meta     rows words: as in links
//	zero     rows times 2m words
//	upper    lists times m words
//	crc32c   u32 of all before it
//
// Links lead to rows that are present only.
const (
	saveMagic   = "OSTRHNSW"
	saveVersion = 2
	headerBytes = 48
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Save writes the graph as it was when Save began, all but the links that changed since. Nothing waits for it.
func (g *Graph) Save(w io.Writer) error {
	sum := crc32.New(castagnoli)
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<20)
	s := g.snapshot()
	err := s.write(g, out)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		_, err = w.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
	}
	return fault.Wrap(fault.Internal, err, "save graph")
}

// snapshot is which rows are saved.
type snapshot struct {
	meta  []uint32
	entry uint64
	lists uint32
}

// snapshot waits for the inserts that run: the rows that are there then are linked.
func (g *Graph) snapshot() snapshot {
	g.inserts.Lock()
	defer g.inserts.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	s := snapshot{entry: g.entry.Load(), lists: g.links.lists}
	used := 0
	s.meta = make([]uint32, g.links.capacity())
	for i := range s.meta {
		s.meta[i] = atomic.LoadUint32(g.links.word(uint32(i)))
		if s.meta[i] != 0 {
			used = i + 1
		}
	}
	s.meta = s.meta[:used]
	return s
}

func (s *snapshot) write(g *Graph, out io.Writer) error {
	rows := len(s.meta)
	b := append(make([]byte, 0, headerBytes), saveMagic...)
	for _, word := range []uint32{
		saveVersion, uint32(g.o.M), uint32(g.o.EfConstruct), uint32(s.entry >> 32), uint32(s.entry), uint32(rows), s.lists, 0,
	} {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	b = binary.LittleEndian.AppendUint64(b, g.o.Seed)
	for _, word := range s.meta {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	if _, err := out.Write(b); err != nil {
		return err
	}
	line := make([]byte, 0, 4*g.links.zeroWords)
	for row := range uint32(rows) {
		if _, err := out.Write(s.list(line, wordsAt(g.links.zero.Table(), row, g.links.zeroWords))); err != nil {
			return err
		}
	}
	for list := range s.lists {
		if _, err := out.Write(s.list(line, wordsAt(g.links.upper.Table(), list, g.links.upperWords))); err != nil {
			return err
		}
	}
	return nil
}

// list encodes a list without the links that lead out of what is saved.
func (s *snapshot) list(line []byte, list []uint32) []byte {
	line = line[:0]
	for i := range list {
		link := atomic.LoadUint32(&list[i])
		if link == 0 {
			break
		}
		if int(link-1) < len(s.meta) && s.meta[link-1]&present != 0 {
			line = binary.LittleEndian.AppendUint32(line, link)
		}
	}
	return append(line, make([]byte, 4*len(list)-len(line))...)
}

// Load reads a graph that Save wrote. Anything that Save does not write is an error of class fault.Corrupt, a newer
// version one of class fault.Unsupported. file is that of Options.
func Load(r io.Reader, file string) (*Graph, error) {
	sum := crc32.New(castagnoli)
	in := bufio.NewReaderSize(r, 1<<20)
	l := loader{in: io.TeeReader(in, sum), file: file}
	g, err := l.load()
	if err != nil {
		return nil, err
	}
	if err := l.check(in, sum.Sum32(), g); err != nil {
		_ = g.Close() // the error that matters is err
		return nil, err
	}
	return g, nil
}

type loader struct {
	in   io.Reader
	file string
	b    [4096]byte // what words reads into
}

func corrupt(format string, args ...any) error {
	return fault.New(fault.Corrupt, "load graph: %s", fmt.Sprintf(format, args...))
}

func (l *loader) load() (*Graph, error) {
	var h [headerBytes]byte
	if _, err := io.ReadFull(l.in, h[:]); err != nil || string(h[:8]) != saveMagic {
		return nil, corrupt("no header")
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(h[8+4*i:]) }
	if v := word(0); v != saveVersion {
		return nil, fault.New(fault.Unsupported, "load graph: version %d, this program knows %d", v, saveVersion)
	}
	o := Options{M: int(word(1)), EfConstruct: int(word(2)), Seed: binary.LittleEndian.Uint64(h[40:]), File: l.file}
	rows, lists := word(5), word(6)
	if rows > MaxRows || uint64(lists) > uint64(rows)*maxLevel || o.M == 0 || o.EfConstruct == 0 {
		return nil, corrupt("%d rows, %d lists", rows, lists)
	}
	g, err := New(o)
	if err != nil {
		return nil, corrupt("%v", err)
	}
	if err := l.fill(g, rows, lists); err != nil {
		_ = g.Close()
		return nil, err
	}
	g.entry.Store(uint64(word(3))<<32 | uint64(word(4)))
	return g, nil
}

func (l *loader) fill(g *Graph, rows, lists uint32) error {
	if rows > 0 {
		if err := g.growLocked(rows - 1); err != nil {
			return err
		}
	}
	g.links.lists = lists
	if err := g.links.upper.Grow(int(lists)); err != nil {
		return err
	}
	for row := range rows {
		if err := l.words(wordsAt(g.links.meta.Table(), row, 1)); err != nil {
			return err
		}
	}
	for row := range rows {
		if err := l.words(wordsAt(g.links.zero.Table(), row, g.links.zeroWords)); err != nil {
			return err
		}
	}
	for list := range lists {
		if err := l.words(wordsAt(g.links.upper.Table(), list, g.links.upperWords)); err != nil {
			return err
		}
	}
	return nil
}

// words reads words from the stream.
func (l *loader) words(to []uint32) error {
	for len(to) > 0 {
		n := min(len(to), len(l.b)/4)
		if _, err := io.ReadFull(l.in, l.b[:4*n]); err != nil {
			return corrupt("%v", err)
		}
		for i := range n {
			to[i] = binary.LittleEndian.Uint32(l.b[4*i:])
		}
		to = to[n:]
	}
	return nil
}

// check compares the checksum, then looks at every word that a walk would trust.
func (l *loader) check(in io.Reader, sum uint32, g *Graph) error {
	var b [4]byte
	if _, err := io.ReadFull(in, b[:]); err != nil || binary.LittleEndian.Uint32(b[:]) != sum {
		return corrupt("wrong checksum")
	}
	var linked int64
	rows := make([]uint32, 0, g.links.zeroWords)
	for row := range uint32(g.links.capacity()) {
		if !g.links.has(row) {
			continue
		}
		linked++
		if err := g.checkRow(row, rows); err != nil {
			return err
		}
	}
	row, level, ok := g.top()
	if ok != (linked > 0) || ok && (!g.links.has(row) || level != g.level(row)) {
		return corrupt("entry %d on level %d of %d rows", row, level, linked)
	}
	g.linked.Store(linked)
	return nil
}

func (g *Graph) checkRow(row uint32, rows []uint32) error {
	level := g.level(row)
	if first := *g.links.word(row) &^ present; (level > 0) != (first > 0) || uint64(first)+uint64(level) > uint64(g.links.lists)+1 {
		return corrupt("row %d of level %d has list %d of %d", row, level, first, g.links.lists)
	}
	for l := level; l >= 0; l-- {
		for _, r := range read(g.links.list(row, l), rows) {
			if !g.links.has(r) || g.level(r) < l {
				return corrupt("row %d links to row %d on level %d", row, r, l)
			}
		}
	}
	return nil
}
