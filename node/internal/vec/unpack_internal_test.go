package vec

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unsafe"
)

func TestEveryKernelUnpacksAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, set := range available() {
		for _, n := range []int{0, UnpackedAtOnce, 2 * UnpackedAtOnce, 512} {
			row, want := make([]byte, n+1), bytes.Repeat([]byte{7}, 2*n+1)
			got := bytes.Clone(want)
			for i := range n {
				row[i] = byte(r.Uint32())
				want[i], want[n+i] = row[i]&15*17, row[i]>>4*17
			}
			set.unpack(unsafe.Pointer(&row[0]), unsafe.Pointer(&got[0]), n)
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %d bytes: %x of %x, want %x", set.name, n, got, row, want)
			}
		}
	}
}

func TestWhatCannotBeUnpackedPanics(t *testing.T) {
	for _, lengths := range [][2]int{{8, 16}, {UnpackedAtOnce, UnpackedAtOnce}, {UnpackedAtOnce, 2*UnpackedAtOnce - 1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d bytes were unpacked into %d", lengths[0], lengths[1])
				}
			}()
			Unpack(make([]byte, lengths[0]), make([]byte, lengths[1]))
		}()
	}
}
