//go:build !race

package arena

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// chunkBytes is long enough for huge pages to cover nearly all of a chunk, and short enough to reserve for few rows.
const chunkBytes = 32 << 20

const (
	pageBytes = 4 << 10
	hugeBytes = 2 << 20
	// firstStep is what is made usable at first; it doubles up to hugeBytes, so that small sets stay small.
	firstStep = 64 << 10
	// adviseFrom is how many bytes an arena has before it asks for huge pages: below, half of one would be waste.
	adviseFrom = 4 << 20
)

// anonymous reserves address space chunk by chunk, and turns it into memory step by step: an address space that is only
// reserved counts for no limit.
type anonymous struct {
	size    int
	chunks  []reservation
	usable  int
	advised int // bytes, from the first chunk on, for which huge pages were asked
}

type reservation struct {
	at     unsafe.Pointer
	length uintptr
	chunk  unsafe.Pointer // within, at a border of huge pages
}

func newAnonymous(size int) memory { return &anonymous{size: size} }

func (m *anonymous) reserve(int) (unsafe.Pointer, error) {
	length := uintptr(roundUp(m.size, pageBytes) + hugeBytes)
	at, err := unix.MmapPtr(-1, 0, nil, length, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fault.Wrap(fault.Exhausted, err, "reserve memory")
	}
	ahead := (hugeBytes - int(uintptr(at)%hugeBytes)) % hugeBytes
	r := reservation{at: at, length: length, chunk: unsafe.Add(at, ahead)}
	m.chunks = append(m.chunks, r)
	return r.chunk, nil
}

func (m *anonymous) commit(n int) (int, error) {
	step := min(max(firstStep, m.usable), hugeBytes)
	want := min(roundUp(max(n, m.usable+step), pageBytes), len(m.chunks)*m.size)
	for m.usable < want {
		chunk, from := m.usable/m.size, m.usable%m.size
		to := min(m.size, from+want-m.usable)
		// Pages that the border of a step cuts are made usable twice.
		if err := unix.Mprotect(m.part(chunk, from, to), unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return 0, fault.Wrap(fault.Exhausted, err, "get memory")
		}
		m.usable += to - from
	}
	m.advise()
	return m.usable, nil
}

// advise asks for huge pages once the arena is large. The answer does not matter: small pages work too.
func (m *anonymous) advise() {
	if m.usable < adviseFrom {
		return
	}
	for m.advised < m.usable {
		chunk := m.advised / m.size
		_ = unix.Madvise(m.part(chunk, 0, m.size), unix.MADV_HUGEPAGE)
		m.advised += m.size
	}
}

// part is bytes from up to but not including to of a chunk, and what shares pages with them.
func (m *anonymous) part(chunk, from, to int) []byte {
	from, to = from/pageBytes*pageBytes, roundUp(to, pageBytes)
	return unsafe.Slice((*byte)(unsafe.Add(m.chunks[chunk].chunk, from)), to-from)
}

func (m *anonymous) sync() error { return nil }

func (m *anonymous) forget() {}

func (m *anonymous) fetch([]uint32, *vec.Table) {}

func (m *anonymous) close() error {
	var first error
	for _, r := range m.chunks {
		if err := unix.MunmapPtr(r.at, r.length); err != nil && first == nil {
			first = fault.Wrap(fault.Internal, err, "give memory back")
		}
	}
	*m = anonymous{size: m.size}
	return first
}
