package dense

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Whatever verdict codes may get is read again.
func TestVerdictsAreReadAsTheyWereWritten(t *testing.T) {
	for _, wider := range []uint32{0, mostDisplaced, mostPacked} {
		dir := t.TempDir()
		if err := writeState(dir, &saved{size: 1, distance: vec.Dot, datatype: vec.Float32, judged: 7, wider: wider}); err != nil {
			t.Fatal(err)
		}
		if s, err := readState(dir); err != nil || s.judged != 7 || s.wider != wider {
			t.Errorf("%d: %+v, %v", wider, s, err)
		}
	}
	dir := t.TempDir()
	if err := writeState(dir, &saved{size: 1, distance: vec.Dot, datatype: vec.Float32, wider: mostPacked + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := readState(dir); !fault.Is(err, fault.Corrupt) {
		t.Errorf("what no verdict says is read: %v", err)
	}
}
