package arena

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
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
