package peer

import (
	"bytes"
	"testing"
)

func TestPrefaceBytesAreGolden(t *testing.T) {
	got := encodePreface(preface{cluster: "c1", target: 0x0102})
	want := []byte{'R', 1, 2, 'c', '1', 0, 0, 0, 0, 0, 0, 1, 2}
	if !bytes.Equal(got, want) {
		t.Errorf("got % x", got)
	}
}

func FuzzPreface(f *testing.F) {
	f.Add(encodePreface(preface{cluster: "c", target: 7})[1:])
	f.Add([]byte{1, 255})
	f.Add([]byte{9})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPreface(bytes.NewReader(b))
		if err != nil {
			return
		}
		if again := encodePreface(p)[1:]; !bytes.HasPrefix(b, again) {
			t.Errorf("% x was read as %+v", b, p)
		}
	})
}
