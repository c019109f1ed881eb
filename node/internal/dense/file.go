package dense

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// An index that has a graph is kept in a directory of its own, as it was at one moment:
//
//	rows-C   the vectors of core C, row after row, as memory holds them (form): float32, binary16 or bytes, little-endian; with
//	         bytes and Cosine, zeros up to a multiple of 4 and the vector's length, a float32, behind each. Rows are only ever
//	         added behind.
//	graph-N  the graph (package hnsw, with a checksum of its own)
//	state    what the others are. It is replaced as a whole, and names the files that count.
//
// state, little-endian:
//
//	magic 8 "OSTRVIDX", version u32, size u32, distance u32, core u32, graph u32, rows u32, linked u32, m u32,
//	ef_construct u32, kind of codes u32, quantile f32, length of codec u32, compression u8, bits u8, query u8,
//	datatype u8 (0 float32, 1 float16, 2 uint8), applied u64, judged u32, wider u32 (net)
//	codec    as package quant writes it
//	sums     crc32c u32 of each 1024 rows of rows-C
//	points   of each row: 2 u8 if it is dead, else the key of its point (package point), which begins with 0 or 1
//	crc32c   u32 of all before it
//
// Version 1 ends its header with applied, and has vectors of float32 whatever the datatype. Codes are not kept: they are made
// again of the rows.
const (
	stateMagic   = "OSTRVIDX"
	stateVersion = 2
	firstVersion = 1
	stateHeader  = 8 + 12*4 + 4 + 8 + 2*4
	stateName    = "state"
	rowsPrefix   = "rows-"
	graphPrefix  = "graph-"
	deadRow      = 2
	// maxCodec bounds the length of a codec in a file.
	maxCodec = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func damaged(format string, args ...any) error {
	return fault.New(fault.Corrupt, "saved index: %s", fmt.Sprintf(format, args...))
}

// saved is what a state file says.
type saved struct {
	size                      int
	distance                  vec.Distance
	datatype                  vec.Datatype
	judged, wider             uint32
	core, graph, rows, linked uint32
	m, efConstruct            uint32
	codes                     Codes
	applied                   uint64
	codec                     []byte
	sums                      []uint32
	points                    []point.ID
	lives                     []bool
}

func (s *saved) header() []byte {
	b := append(make([]byte, 0, stateHeader), stateMagic...)
	for _, n := range []uint32{
		stateVersion, uint32(s.size), uint32(s.distance), s.core, s.graph, s.rows, s.linked, s.m, s.efConstruct,
		uint32(s.codes.Kind), math.Float32bits(s.codes.Quantile), uint32(len(s.codec)),
	} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	b = append(b, s.codes.Compression, byte(s.codes.Bits), byte(s.codes.Query), byte(slices.Index(datatypes, s.datatype)))
	b = binary.LittleEndian.AppendUint64(b, s.applied)
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, s.judged), s.wider)
}

// datatypes is how they are numbered in the file.
var datatypes = []vec.Datatype{vec.Float32, vec.HalfType, vec.ByteType}

// writeState writes the state file beside the old one, and puts it in its place once it is durable.
func writeState(dir string, s *saved) error {
	temp := filepath.Join(dir, stateName+tempSuffix)
	err := writeFile(temp, func(w io.Writer) error {
		sum := crc32.New(castagnoli)
		out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<18)
		_, _ = out.Write(s.header()) // an error stays until Flush
		_, _ = out.Write(s.codec)
		var b []byte
		for _, n := range s.sums {
			_, _ = out.Write(binary.LittleEndian.AppendUint32(b[:0], n))
		}
		for i, id := range s.points {
			b = append(b[:0], deadRow)
			if s.lives[i] {
				b = id.AppendKey(b[:0])
			}
			_, _ = out.Write(b)
		}
		if err := out.Flush(); err != nil {
			return err
		}
		_, err := w.Write(binary.LittleEndian.AppendUint32(nil, sum.Sum32()))
		return err
	})
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, stateName))
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temp))
	}
	return disk.On(vfs.Default).SyncDir(dir)
}

// tempSuffix marks a file that is not finished.
const tempSuffix = ".tmp"

// writeFile makes a file durable, but not its name.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func removeIfThere(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// stateReader reads a state file from the front, and sums up what it read.
type stateReader struct {
	in  *bufio.Reader
	sum hash.Hash32
	err error
	few [32]byte
}

// bytes returns the next n bytes, which are good until the next call if they are few.
func (r *stateReader) bytes(n int) []byte {
	b := r.few[:min(n, len(r.few))]
	if n > len(b) {
		b = make([]byte, n)
	}
	if r.err == nil {
		if _, r.err = io.ReadFull(r.in, b); r.err == nil {
			_, _ = r.sum.Write(b)
		}
	}
	return b
}

// number returns the next number.
func (r *stateReader) number() uint32 { return binary.LittleEndian.Uint32(r.bytes(4)) }

// readState reads the state file. An error of class fault.NotFound says that there is none.
func readState(dir string) (*saved, error) {
	f, err := os.Open(filepath.Join(dir, stateName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "no index is saved")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "read saved index")
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "read saved index")
	}
	return parseState(f, info.Size())
}

func parseState(f io.Reader, length int64) (*saved, error) {
	r := &stateReader{in: bufio.NewReaderSize(f, 1<<18), sum: crc32.New(castagnoli)}
	if magic := string(r.bytes(8)); r.err != nil || magic != stateMagic {
		return nil, damaged("no header")
	}
	version := r.number()
	if version < firstVersion || version > stateVersion {
		return nil, fault.New(fault.Unsupported, "saved index: version %d, this program knows %d", version, stateVersion)
	}
	s := &saved{
		datatype: vec.Float32, wider: mostDisplaced,
		size: int(r.number()), distance: vec.Distance(r.number()), core: r.number(), graph: r.number(), rows: r.number(),
		linked: r.number(), m: r.number(), efConstruct: r.number(),
	}
	s.codes = Codes{Kind: CodeKind(r.number()), Quantile: math.Float32frombits(r.number())}
	codec, more := r.number(), r.number()
	s.codes.Compression, s.codes.Bits, s.codes.Query = byte(more), quant.BinaryBits(more>>8), quant.BinaryQuery(more>>16)
	s.applied = binary.LittleEndian.Uint64(r.bytes(8))
	if version > firstVersion {
		if kind := int(more >> 24); kind < len(datatypes) {
			s.datatype = datatypes[kind]
		} else {
			return nil, fault.New(fault.Unsupported, "saved index: vectors of kind %d", kind)
		}
		s.judged, s.wider = r.number(), r.number()
	}
	// Each row takes a byte at least: what does not fit into the file is damage, and must not be made room for.
	if r.err != nil || codec > maxCodec || int64(codec)+int64(s.rows) > length || s.linked > s.rows || s.wider > mostPacked {
		return nil, damaged("%d rows, %d linked, codec of %d bytes, in %d bytes", s.rows, s.linked, codec, length)
	}
	s.codec = bytes.Clone(r.bytes(int(codec)))
	s.sums = make([]uint32, (s.rows+rowsPerBlock-1)/rowsPerBlock)
	for i := range s.sums {
		s.sums[i] = r.number()
	}
	s.readPoints(r)
	want := r.sum.Sum32()
	if got := r.number(); r.err != nil || got != want {
		return nil, damaged("wrong checksum")
	}
	return s, nil
}

func (s *saved) readPoints(r *stateReader) {
	s.points, s.lives = make([]point.ID, s.rows), make([]bool, s.rows)
	for i := range s.points {
		kind, err := r.in.Peek(1)
		if r.err = errors.Join(r.err, err); r.err != nil {
			return
		}
		n := 1
		switch kind[0] {
		case 0:
			n = 1 + 8
		case 1:
			n = 1 + 16
		case deadRow:
		default:
			r.err = damaged("row %d is of kind %d", i, kind[0])
			return
		}
		key := r.bytes(n)
		if n == 1 || r.err != nil {
			continue
		}
		s.points[i], _, r.err = point.CutKey(key)
		s.lives[i] = true
	}
}

// RemoveFiles removes what is kept of an index. The directory need not exist.
func RemoveFiles(dir string) error { return os.RemoveAll(dir) }

// sweepFiles removes the files that the state does not name.
func sweepFiles(dir string, s *saved) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	keep := map[string]bool{stateName: true, rowsName(s.core): true, graphName(s.graph): true}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, rowsPrefix) || strings.HasPrefix(name, graphPrefix) || strings.HasSuffix(name, tempSuffix)
		if ours && !keep[name] {
			err = errors.Join(err, removeIfThere(filepath.Join(dir, name)))
		}
	}
	return err
}

func rowsName(core uint32) string   { return fmt.Sprintf("%s%d", rowsPrefix, core) }
func graphName(graph uint32) string { return fmt.Sprintf("%s%d", graphPrefix, graph) }
