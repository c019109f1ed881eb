package point_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"reflect"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// sealed gives body the version and checksum that decoders ask for.
func sealed(body []byte) []byte { return sealedAs(1, body) }

func sealedAs(version byte, body []byte) []byte {
	b := append([]byte{version}, body...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func TestOpsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := ops().Draw(t, "op")
		got, err := point.DecodeOp(point.EncodeOp(op))
		if err != nil || !reflect.DeepEqual(got, op) {
			t.Fatalf("got %#v, %v\nof  %#v", got, err, op)
		}
	})
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rec := point.Record{Point: points().Draw(t, "point"), Version: rapid.Uint64().Draw(t, "version")}
		got, err := point.DecodeRecord(point.EncodeRecord(rec))
		if err != nil || !reflect.DeepEqual(got, rec) {
			t.Fatalf("got %#v, %v\nof  %#v", got, err, rec)
		}
		p, err := point.DecodePayload(point.EncodePayload(rec.Payload))
		if err != nil || !reflect.DeepEqual(p, rec.Payload) {
			t.Fatalf("got %#v, %v\nof  %#v", p, err, rec.Payload)
		}
		set, err := point.DecodeVectorSet(point.EncodeVectorSet(rec.VectorSet()))
		if err != nil || !reflect.DeepEqual(set, rec.VectorSet()) {
			t.Fatalf("got %#v, %v\nof  %#v", set, err, rec.VectorSet())
		}
		if dense, err := point.DecodeVectors(point.EncodeVectorSet(set)); err != nil || !reflect.DeepEqual(dense, rec.Vectors) {
			t.Fatalf("got %#v, %v\nof  %#v", dense, err, rec.Vectors)
		}
		if b := point.EncodeVectorSet(set); len(set.Sparse) == 0 && string(b) != string(point.EncodeVectors(rec.Vectors)) {
			t.Fatalf("without sparse vectors: %x", b)
		}
		v, err := point.DecodeVectors(point.EncodeVectors(rec.Vectors))
		if err != nil || !reflect.DeepEqual(v, rec.Vectors) {
			t.Fatalf("got %#v, %v\nof  %#v", v, err, rec.Vectors)
		}
	})
}

func TestEqualValuesHaveEqualBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := ops().Draw(t, "op")
		want := point.EncodeOp(op)
		again, err := point.DecodeOp(want) // its maps were built in another order
		if err != nil || string(point.EncodeOp(again)) != string(want) {
			t.Fatalf("bytes differ for %#v (%v)", op, err)
		}
	})
}

func TestEveryFlippedBitAndEveryCutIsNoticed(t *testing.T) {
	whole := point.EncodeRecord(goldenRecord())
	for i := range whole {
		if _, err := point.DecodeRecord(whole[:i]); !fault.Is(err, fault.Corrupt) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		for bit := range 8 {
			bad := append([]byte(nil), whole...)
			bad[i] ^= 1 << bit
			_, err := point.DecodeRecord(bad)
			if newer := i == 0 && errors.Is(err, point.ErrVersion); !newer && !fault.Is(err, fault.Corrupt) {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
		}
	}
}

func TestANewerVersionIsNoDamage(t *testing.T) {
	newer := []byte{3, 'w', 'h', 'a', 't', 'e', 'v', 'e', 'r'}
	if _, err := point.DecodePayload([]byte{2, 'x'}); !errors.Is(err, point.ErrVersion) {
		t.Errorf("payloads have no version 2: %v", err)
	}
	for name, err := range map[string]error{
		"op": second(point.DecodeOp(newer)), "record": second(point.DecodeRecord(newer)),
		"payload": second(point.DecodePayload(newer)), "vectors": second(point.DecodeVectors(newer)),
	} {
		if !errors.Is(err, point.ErrVersion) || fault.ClassOf(err) != fault.Unsupported {
			t.Errorf("%s: %v (%v)", name, err, fault.ClassOf(err))
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestOnlyCanonicalBytesAreDecoded(t *testing.T) {
	for name, body := range map[string][]byte{
		"long number":        {0x80, 0x00},
		"huge count":         {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"number over 64 bit": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02},
		"keys out of order":  {2, 1, 'b', 0, 1, 'a', 0},
		"repeated key":       {2, 1, 'a', 0, 1, 'a', 0},
		"unknown tag":        {1, 1, 'a', 8},
		"left over":          {0, 0},
		"short float":        {1, 1, 'a', 4, 0, 0},
		"short string":       {1, 1, 'a', 5, 3, 'x'},
	} {
		if p, err := point.DecodePayload(sealed(body)); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%s: got %v, %v", name, p, err)
		}
	}
}

func TestDecodingIsBoundedInDepthAndMemory(t *testing.T) {
	nested := func(levels int) []byte {
		body := []byte{1, 1, 'a'} // level 1
		for range levels - 1 {
			body = append(body, 6, 1)
		}
		return sealed(append(body, 0))
	}
	if _, err := point.DecodePayload(nested(point.MaxDepth)); err != nil {
		t.Errorf("%d levels: %v", point.MaxDepth, err)
	}
	if _, err := point.DecodePayload(nested(point.MaxDepth + 1)); !fault.Is(err, fault.Corrupt) {
		t.Errorf("%d levels: %v", point.MaxDepth+1, err)
	}

	// Each of these arrays claims all the bytes that follow it.
	body := []byte{1, 1, 'a'}
	for range point.MaxDepth - 1 {
		body = binary.AppendUvarint(append(body, 6), 1<<19)
	}
	greedy := sealed(append(body, make([]byte, 1<<19)...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := point.DecodePayload(greedy); err == nil {
		t.Error("bytes left over were accepted")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
		t.Errorf("%d bytes of input made the decoder allocate %d", len(greedy), got)
	}
}

func TestFloatsKeepEveryBit(t *testing.T) {
	for _, bits := range []uint64{0, 1 << 63, 1, 0x7ff8000000000001, 0x7ff0000000000000} {
		p, err := point.DecodePayload(point.EncodePayload(point.Payload{"f": math.Float64frombits(bits)}))
		if err != nil || math.Float64bits(p["f"].(float64)) != bits {
			t.Errorf("%x came back as %v (%v)", bits, p, err)
		}
	}
}

func TestASelectorOfNoIDsIsNotASelectorByFilter(t *testing.T) {
	got, err := point.DecodeOp(point.EncodeOp(point.Delete{Selector: point.Selector{IDs: []point.ID{}}}))
	if d, ok := got.(point.Delete); err != nil || !ok || d.IDs == nil {
		t.Errorf("got %#v, %v", got, err)
	}
}

func TestEncodingAForeignTypeIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an int was encoded silently")
		}
	}()
	point.EncodePayload(point.Payload{"a": 1})
}
