package move_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

var update = flag.Bool("update", false, "write the golden files anew")

func entries() []move.Op {
	slots := []slot.Range{{From: 1, To: 300}, {From: 4095, To: 4095}}
	return []move.Op{
		move.Open{Move: 7, Slots: slots},
		move.Begin{Move: 7, Cut: 300, Unsafe: 2},
		move.Chunk{Move: 7, Cut: 300, To: []byte{0, 9}, Data: []byte("data")},
		move.Chunk{Move: 7, Cut: 300, From: []byte{0, 9}, Last: true},
		move.Delta{Move: 7, After: 300, To: 400, Data: []byte("some")},
		move.Delta{Move: 7, After: 300, To: 400, Part: 1, Last: true, Sealed: 5, Data: []byte("more")},
		move.Accept{Move: 7},
		move.Forget{Move: 7},
		move.Seal{Move: 7, Version: 5, Slots: slots},
		move.Unseal{Move: 7, Version: 5},
		move.Drop{Move: 8, Slots: slots, Epoch: 3, Limit: 2000},
		move.Within{Slots: slots, Op: point.EncodeOp(point.Delete{Selector: point.Selector{Filter: []byte{1}}})},
	}
}

// states is a state after each entry, as far as one is permitted.
func states(t *testing.T) []*move.State {
	t.Helper()
	var s *move.State
	var all []*move.State
	for i, op := range entries() {
		if err := s.Permit(op); err != nil {
			t.Fatalf("entry %d, %T: %v", i, op, err)
		}
		s = s.After(op, uint64(i+1), move.Found{At: []byte{0, 5}})
		all = append(all, s)
	}
	return all
}

func TestEntriesAndStatesComeBackAsTheyWere(t *testing.T) {
	for _, op := range entries() {
		b := move.Encode(op)
		got, err := move.Decode(b)
		if err != nil || !reflect.DeepEqual(got, op) || !move.IsEntry(b) {
			t.Errorf("%T: %v, %+v", op, err, got)
		}
	}
	for _, s := range states(t) {
		got, err := move.DecodeState(s.Encode())
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%s: %v, %s", s.Encode(), err, got.Encode())
		}
	}
}

// The golden bytes are what stands in logs and beside points on users' disks.
func TestEncodingsNeverChange(t *testing.T) {
	var got strings.Builder
	for _, op := range entries() {
		fmt.Fprintf(&got, "%T %s\n", op, hex.EncodeToString(move.Encode(op)))
	}
	for _, s := range states(t) {
		fmt.Fprintf(&got, "state %q\n", s.Encode())
	}
	file := filepath.Join("testdata", "golden.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestDamageIsNoticed(t *testing.T) {
	for _, op := range entries() {
		b := move.Encode(op)
		for i := range b {
			b[i] ^= 0x40
			if _, err := move.Decode(b); !fault.Is(err, fault.Corrupt) {
				t.Fatalf("%T with byte %d changed: %v", op, i, err)
			}
			b[i] ^= 0x40
		}
		if _, err := move.Decode(b[:len(b)-1]); !fault.Is(err, fault.Corrupt) {
			t.Fatalf("%T cut: %v", op, err)
		}
	}
	if move.IsEntry(nil) || move.IsEntry(point.EncodeOp(point.Delete{})) {
		t.Error("an operation on points is taken for an entry of a move")
	}
	if _, err := move.DecodeState([]byte{2}); !fault.Is(err, fault.Unsupported) {
		t.Error(err)
	}
	if _, err := move.DecodeState([]byte(`{`)); !fault.Is(err, fault.Unsupported) && !fault.Is(err, fault.Corrupt) {
		t.Error(err)
	}
	if _, err := move.DecodeState([]byte("\x01{\"other\":1}")); !fault.Is(err, fault.Corrupt) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, op := range entries() {
		f.Add(move.Encode(op))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		op, err := move.Decode(b)
		if err != nil {
			return
		}
		if again, err := move.Decode(move.Encode(op)); err != nil || !reflect.DeepEqual(again, op) {
			t.Fatalf("%+v became %+v: %v", op, again, err)
		}
	})
}

func TestTouchedSlotsAreThoseOfTheNamedPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ids []point.ID
		var points []point.Point
		var want slot.Set
		for _, n := range rapid.SliceOf(rapid.Uint64()).Draw(t, "ids") {
			ids = append(ids, point.Num(n))
			points = append(points, point.Point{ID: point.Num(n)})
			want.Add(slot.Of(point.Num(n)))
		}
		if ids == nil {
			ids = []point.ID{}
		}
		named := point.Selector{IDs: ids}
		for _, op := range []point.Op{
			point.Upsert{Points: points}, point.UpdateVectors{Points: points}, point.Delete{Selector: named}, point.SetPayload{Selector: named},
			point.OverwritePayload{Selector: named}, point.DeletePayload{Selector: named}, point.ClearPayload{Selector: named}, point.DeleteVectors{Selector: named},
		} {
			if got := move.Touched(op); got == nil || *got != want {
				t.Fatalf("%T: %v", op, got)
			}
		}
		byFilter := point.Selector{Filter: []byte{1}}
		for _, op := range []point.Op{point.Delete{Selector: byFilter}, point.SetPayload{Selector: byFilter}, point.ClearPayload{Selector: byFilter}} {
			if got := move.Touched(op); got != nil {
				t.Fatalf("%T by a filter: %v", op, got)
			}
		}
	})
}
