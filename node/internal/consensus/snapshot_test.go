package consensus_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func sample(t testing.TB) *catalog.State {
	s, r := catalog.Apply(catalog.Empty(), register(1))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return s
}

func TestSnapshotsCarryTheirIndexAndSayWhenTheyAreNewer(t *testing.T) {
	b := consensus.EncodeSnapshot(sample(t), 77)
	s, index, err := consensus.DecodeSnapshot(b)
	if err != nil || index != 77 || s.Describe() != sample(t).Describe() {
		t.Fatalf("%v, %d, %v", s, index, err)
	}
	newer := bytes.Clone(b)
	newer[3]++
	if _, _, err := consensus.DecodeSnapshot(newer); !errors.Is(err, catalog.ErrNewerFormat) {
		t.Errorf("newer: %v", err)
	}
	for i := range b {
		if _, _, err := consensus.DecodeSnapshot(b[:i]); !fault.Is(err, fault.Corrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if !bytes.HasPrefix(b, []byte("OCM\x01\x00\x00\x00\x00\x00\x00\x00\x4dOCS\x01")) {
		t.Errorf("the header changed: %q", b[:16])
	}
}

func FuzzSnapshotAndEntry(f *testing.F) {
	f.Add(consensus.EncodeSnapshot(sample(f), 1), catalog.EncodeCommands([]catalog.Command{register(2)}))
	f.Add([]byte("OCM\x01"), []byte{})
	f.Fuzz(func(t *testing.T, snapshot, entry []byte) {
		s, err := consensus.RestoreThenApply(io.NopCloser(bytes.NewReader(snapshot)), entry)
		if err == nil {
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
