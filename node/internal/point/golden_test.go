package point_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

var update = flag.Bool("update", false, "write the golden files anew")

const someUUID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"

func goldenRecord() point.Record {
	id, err := point.ParseUUID(someUUID)
	if err != nil {
		panic(err)
	}
	return point.Record{Version: 300, Point: point.Point{
		ID:      id,
		Vectors: point.Vectors{"": {1, -0.5, 0.25}, "title": {3.5}},
		Payload: point.Payload{
			"null": nil, "yes": true, "no": false, "int": int64(-70), "float": 2.5, "text": "σtraka",
			"list": []any{int64(1), "two", []any{}}, "object": map[string]any{"b": int64(2), "a": 1.0},
		},
	}}
}

// goldenSparse is what stands in encodings of version 2.
func goldenSparse() point.Record {
	return point.Record{Version: 7, Point: point.Point{
		ID: point.Num(5), Vectors: point.Vectors{"d": {1}}, Payload: point.Payload{"k": true},
		Sparse: point.SparseVectors{"s": {Indices: []uint32{3, 70000}, Values: []float32{0.5, -2}}, "none": {Indices: []uint32{}, Values: []float32{}}},
	}}
}

func goldenSparseOps() []point.Op {
	p := goldenSparse().Point
	bare := p
	bare.Payload = nil
	return []point.Op{
		point.Upsert{Points: []point.Point{{ID: point.Num(1)}, p}, Mode: point.InsertOnly, Condition: []byte{1}},
		point.UpdateVectors{Points: []point.Point{bare}},
	}
}

func goldenOps() []point.Op {
	rec := goldenRecord()
	byID := point.Selector{IDs: []point.ID{point.Num(7), rec.ID}}
	byFilter := point.Selector{Filter: []byte{1, '{', '}'}}
	return []point.Op{
		point.Upsert{Points: []point.Point{rec.Point, {ID: point.Num(1)}}, Mode: point.UpdateOnly, Condition: []byte{1}},
		point.Delete{Selector: byID},
		point.SetPayload{Selector: byID, Payload: point.Payload{"k": int64(1)}, Key: "a.b"},
		point.OverwritePayload{Selector: byFilter, Payload: point.Payload{"k": "v"}},
		point.DeletePayload{Selector: byID, Keys: []string{"a", "b[].c"}},
		point.ClearPayload{Selector: byFilter},
		point.UpdateVectors{Points: []point.Point{{ID: point.Num(9), Vectors: point.Vectors{"v": {1, 2}}}}},
		point.DeleteVectors{Selector: byID, Names: []string{"", "title"}},
	}
}

// The golden bytes are what is on users' disks. A change that breaks this test needs a new format version.
func TestEncodingsNeverChange(t *testing.T) {
	var got strings.Builder
	rec := goldenRecord()
	fmt.Fprintf(&got, "record %x\n", point.EncodeRecord(rec))
	fmt.Fprintf(&got, "payload %x\n", point.EncodePayload(rec.Payload))
	fmt.Fprintf(&got, "vectors %x\n", point.EncodeVectors(rec.Vectors))
	for _, op := range goldenOps() {
		fmt.Fprintf(&got, "%T %x\n", op, point.EncodeOp(op))
	}
	rec = goldenSparse()
	fmt.Fprintf(&got, "record2 %x\n", point.EncodeRecord(rec))
	fmt.Fprintf(&got, "vectors2 %x\n", point.EncodeVectorSet(rec.VectorSet()))
	for _, op := range goldenSparseOps() {
		fmt.Fprintf(&got, "%T %x\n", op, point.EncodeOp(op))
	}
	file := filepath.Join("testdata", "golden.txt")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("encodings changed: got\n%swant\n%s", got.String(), want)
	}
	for line := range strings.Lines(string(want)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(digits)
		if err == nil && strings.HasPrefix(name, "point.") {
			_, err = point.DecodeOp(b)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
