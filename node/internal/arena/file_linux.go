package arena

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// filePage is what file offsets and lengths of mappings are multiples of: the largest page that Linux is built with.
const filePage = 64 << 10

// file maps a file chunk by chunk, shared, so that the system may write pages back and forget them. Its chunks lie in
// the file one after another, each rounded up to whole pages.
type file struct {
	size   int // of a chunk, without the rounding
	f      *os.File
	mu     sync.Mutex // guards chunks
	chunks [][]byte
}

func newFile(name string, size int) (memory, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "make arena file")
	}
	return &file{size: size, f: f}, nil
}

func (m *file) reserve(i int) (unsafe.Pointer, error) {
	length := roundUp(m.size, filePage)
	from := int64(i) * int64(length)
	// Real blocks, not a hole: else a full disk would be a SIGBUS at some later store.
	if err := unix.Fallocate(int(m.f.Fd()), 0, from, int64(length)); err != nil {
		if !errors.Is(err, unix.EOPNOTSUPP) {
			return nil, fault.Wrap(fault.Exhausted, err, "grow %s", m.f.Name())
		}
		if err := m.f.Truncate(from + int64(length)); err != nil {
			return nil, fault.Wrap(fault.Exhausted, err, "grow %s", m.f.Name())
		}
	}
	chunk, err := unix.Mmap(int(m.f.Fd()), from, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fault.Wrap(fault.Exhausted, err, "map %s", m.f.Name())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.chunks = append(m.chunks, chunk)
	_ = unix.Madvise(chunk, unix.MADV_RANDOM) // rows are read here and there; the answer does not matter
	return unsafe.Pointer(unsafe.SliceData(chunk)), nil
}

func (m *file) commit(int) (int, error) { return len(m.chunks) * m.size, nil }

// forget takes the pages out of this process's memory. They stay in the system's cache for as long as that has room, and those
// that were written are written back when they leave it.
func (m *file) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, chunk := range m.chunks {
		_ = unix.Madvise(chunk, unix.MADV_DONTNEED) // the answer does not matter
	}
}

// fetch has the system read rows without waiting: all at a time, where touching them one after the other would wait for each. If the first and
// the last of them are in memory, so are the others, it is taken: to ask about each costs more than to compare it.
func (m *file) fetch(rows []uint32, t *vec.Table) {
	if len(rows) < 2 || there(t, rows[0]) && there(t, rows[len(rows)-1]) {
		return
	}
	eachRun(rows, t, func(first uint32, n int) {
		_ = unix.Madvise(pagesOf(t.At(first), n*t.Stride), unix.MADV_WILLNEED) // the answer does not matter
	})
}

// eachRun visits rows that follow one another, in the list as in memory, together.
func eachRun(rows []uint32, t *vec.Table, visit func(first uint32, n int)) {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n] == rows[n-1]+1 && rows[n]>>t.Shift == rows[0]>>t.Shift {
			n++
		}
		visit(rows[0], n)
		rows = rows[n:]
	}
}

// there reports whether the page that a row begins in is in memory, or cannot be asked about.
func there(t *vec.Table, row uint32) bool {
	var in byte
	page := pagesOf(t.At(row), 1)
	_, _, failed := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(page))), uintptr(len(page)), uintptr(unsafe.Pointer(&in)))
	return failed != 0 || in&1 != 0
}

var pageSize = os.Getpagesize()

// pagesOf are some bytes, from the beginning of their first page on.
func pagesOf(at unsafe.Pointer, n int) []byte {
	before := int(uintptr(at) % uintptr(pageSize))
	return unsafe.Slice((*byte)(unsafe.Add(at, -before)), before+n)
}

func (m *file) sync() error {
	for _, chunk := range m.chunks {
		if err := unix.Msync(chunk, unix.MS_SYNC); err != nil {
			return fault.Wrap(fault.Internal, err, "sync %s", m.f.Name())
		}
	}
	return fault.Wrap(fault.Internal, m.f.Sync(), "sync %s", m.f.Name())
}

func (m *file) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all error
	for _, chunk := range m.chunks {
		all = errors.Join(all, unix.Munmap(chunk))
	}
	m.chunks = nil
	return fault.Wrap(fault.Internal, errors.Join(all, m.f.Close()), "close %s", m.f.Name())
}
