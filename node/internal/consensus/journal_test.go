package consensus_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

func TestLogEntriesKeepTheirBytes(t *testing.T) {
	want := &raft.Log{Index: 9, Term: 3, Type: raft.LogConfiguration, Data: []byte("data"), Extensions: []byte("ext"), AppendedAt: time.Unix(5, 7)}
	b := consensus.EncodeEntry(want)
	golden := append([]byte{1, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1, 0x2a, 5, 0xf2, 7, 0, 0, 0, 3}, "extdata"...)
	if !bytes.Equal(b, golden) {
		t.Errorf("encoded % x, want % x", b, golden)
	}
	for _, want := range []*raft.Log{want, {Index: 1, Term: 1, Data: []byte{}}} {
		var got raft.Log
		if err := consensus.DecodeEntry(want.Index, consensus.EncodeEntry(want), &got); err != nil || !reflect.DeepEqual(&got, want) {
			t.Errorf("decoded %+v, %v; want %+v", got, err, want)
		}
	}
	b[0] = 2
	if err := consensus.DecodeEntry(9, b, &raft.Log{}); !fault.Is(err, fault.Unsupported) {
		t.Errorf("a newer format: %v", err)
	}
}

func FuzzLogEntriesNeverPanic(f *testing.F) {
	f.Add([]byte{})
	f.Add(consensus.EncodeEntry(&raft.Log{Data: []byte("x"), Extensions: []byte("y")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := consensus.DecodeEntry(1, b, &raft.Log{})
		if err != nil && !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.Unsupported) {
			t.Fatal(err)
		}
	})
}

// Raft would panic on what it cannot read back.
func TestADamagedLogIsAnErrorOfOpen(t *testing.T) {
	store := openStore(t, vfs.NewMem())
	defer store.Close()
	if err := store.Ledger().Append(t.Context(), kv.LedgerEntry{Index: 4, Data: []byte("a")}, kv.LedgerEntry{Index: 6, Data: []byte("b")}); err != nil {
		t.Fatal(err)
	}
	_, transport := raft.NewInmemTransport("")
	n, err := consensus.Open(consensus.Options{Store: store, Self: 1, Address: "a:1", Transport: transport})
	if !fault.Is(err, fault.Corrupt) {
		t.Errorf("a log with a gap: %v", err)
		_ = n.Close()
	}
}
