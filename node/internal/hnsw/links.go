package hnsw

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// links is the memory of a graph's links. On level 0 each row has room for 2M of them; where fewer are used the first
// free word is 0, so that fresh memory, which is zero, holds no links. A link is a row number + 1.
//
// The levels above are rare: a row that has some owns as many consecutive lists of M words in upper, whose number
// stands in meta. A row's level never changes, so it keeps its lists when it leaves the graph, for when it comes back.
//
//	zero   row r: 2M words                                    a multiple of a cache line when that wastes little
//	meta   row r: one word: the highest bit says that the row is in the graph, the others are 0 or 1 + its first list
//	upper  list:  M words; level l of a row is its first list + l-1
type links struct {
	zeroWords, upperWords int
	zero, meta, upper     *arena.Arena
	lists                 uint32 // used of upper; guarded by Graph.mu
}

const (
	present   = uint32(1) << 31
	lineBytes = 64
)

func (l *links) init(m int, file string) (err error) {
	l.zeroWords, l.upperWords = 2*m, m
	if watched {
		file = ""
	}
	stride := 4 * l.zeroWords
	if over := stride % lineBytes; over != 0 && stride > lineBytes {
		stride += lineBytes - over
	}
	if l.zero, err = arena.New(arena.Options{Stride: stride, File: file}); err != nil {
		return err
	}
	if l.meta, err = arena.New(arena.Options{Stride: 4}); err != nil {
		return err
	}
	l.upper, err = arena.New(arena.Options{Stride: 4 * m})
	return err
}

func (l *links) capacity() int { return min(l.zero.Capacity(), l.meta.Capacity(), MaxRows) }

// grow makes room for rows.
func (l *links) grow(rows int) error {
	if err := l.zero.Grow(rows); err != nil {
		return err
	}
	return l.meta.Grow(rows)
}

// growUpper returns the number of the first of n consecutive lists.
func (l *links) growUpper(n int) (uint32, error) {
	first := l.lists
	if err := l.upper.Grow(int(first) + n); err != nil {
		return 0, err
	}
	l.lists += uint32(n)
	return first, nil
}

func (l *links) bytes() int64 { return l.zero.Bytes() + l.meta.Bytes() + l.upper.Bytes() }

func (l *links) close() error { return errors.Join(l.zero.Close(), l.meta.Close(), l.upper.Close()) }

// word is a row's in meta.
func (l *links) word(row uint32) *uint32 { return (*uint32)(l.meta.Table().At(row)) }

func (l *links) has(row uint32) bool {
	return int(row) < l.capacity() && atomic.LoadUint32(l.word(row))&present != 0
}

// list returns the words of a row's links on a level that it reaches.
func (l *links) list(row uint32, level int) []uint32 {
	if level == 0 {
		return wordsAt(l.zero.Table(), row, l.zeroWords)
	}
	first := atomic.LoadUint32(l.word(row))&^present - 1
	return wordsAt(l.upper.Table(), first+uint32(level)-1, l.upperWords)
}

func wordsAt(t *vec.Table, row uint32, n int) []uint32 {
	return unsafe.Slice((*uint32)(t.At(row)), n)
}

// read appends the links of a list to rows.
func read(list []uint32, rows []uint32) []uint32 {
	for i := range list {
		link := atomic.LoadUint32(&list[i])
		if link == 0 {
			break
		}
		rows = append(rows, link-1)
	}
	return rows
}

// write replaces a list. Readers that look meanwhile see some of the old and some of the new links. The caller has the
// row's lock.
func write(list []uint32, rows []uint32) {
	for i, row := range rows {
		atomic.StoreUint32(&list[i], row+1)
	}
	for i := len(rows); i < len(list); i++ {
		atomic.StoreUint32(&list[i], 0)
	}
}
