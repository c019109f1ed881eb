//go:build race || !linux

package arena

import (
	"unsafe"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// chunkBytes is small: Go zeroes what is not used all the same.
const chunkBytes = 512 << 10

// heap takes chunks from Go. It is what the race detector can watch.
type heap struct {
	size   int
	chunks [][]byte
}

func newAnonymous(size int) memory { return &heap{size: size} }

func (h *heap) reserve(int) (unsafe.Pointer, error) {
	chunk := make([]byte, max(h.size, 64<<10)) // so long that it begins at a page
	h.chunks = append(h.chunks, chunk)
	return unsafe.Pointer(unsafe.SliceData(chunk)), nil
}

func (h *heap) commit(int) (int, error) { return len(h.chunks) * h.size, nil }

func (h *heap) sync() error { return nil }

func (h *heap) forget() {}

func (h *heap) fetch([]uint32, *vec.Table) {}

func (h *heap) close() error {
	h.chunks = nil
	return nil
}
