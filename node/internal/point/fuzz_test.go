package point_test

import (
	"bytes"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// canonical checks that what a decoder accepts is what the encoder writes. The fuzzer's bytes are a body; version and
// checksum are made for it, for it would not find them.
func canonical[T any](t *testing.T, body []byte, decode func([]byte) (T, error), encode func(T) []byte, versions ...byte) {
	t.Helper()
	for _, version := range append(versions, 1) {
		canonicalAs(t, version, body, decode, encode)
	}
}

func canonicalAs[T any](t *testing.T, version byte, body []byte, decode func([]byte) (T, error), encode func(T) []byte) {
	t.Helper()
	b := sealedAs(version, body)
	v, err := decode(b)
	if err != nil {
		if !fault.Is(err, fault.Corrupt) {
			t.Fatalf("%x: class %v: %v", body, fault.ClassOf(err), err)
		}
		return
	}
	if again := encode(v); !bytes.Equal(again, b) {
		t.Fatalf("%x was read as %#v, and written as %x", b, v, again)
	}
}

func body(sealed []byte) []byte { return sealed[1 : len(sealed)-4] }

func FuzzDecodeOp(f *testing.F) {
	for _, op := range goldenOps() {
		f.Add(body(point.EncodeOp(op)))
	}
	for _, op := range goldenSparseOps() {
		f.Add(body(point.EncodeOp(op)))
	}
	f.Fuzz(func(t *testing.T, b []byte) { canonical(t, b, point.DecodeOp, point.EncodeOp, 2) })
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(body(point.EncodeRecord(goldenRecord())))
	f.Add(body(point.EncodeRecord(point.Record{})))
	f.Add(body(point.EncodeRecord(goldenSparse())))
	f.Fuzz(func(t *testing.T, b []byte) { canonical(t, b, point.DecodeRecord, point.EncodeRecord, 2) })
}

func FuzzDecodePayload(f *testing.F) {
	f.Add(body(point.EncodePayload(goldenRecord().Payload)))
	f.Fuzz(func(t *testing.T, b []byte) { canonical(t, b, point.DecodePayload, point.EncodePayload) })
}

func FuzzDecodeVectors(f *testing.F) {
	f.Add(body(point.EncodeVectors(goldenRecord().Vectors)))
	f.Add(body(point.EncodeVectorSet(goldenSparse().VectorSet())))
	f.Fuzz(func(t *testing.T, b []byte) { canonical(t, b, point.DecodeVectorSet, point.EncodeVectorSet, 2) })
}

func FuzzDecodersNeverPanicOnRawBytes(f *testing.F) {
	f.Add(point.EncodeRecord(goldenRecord()))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = point.DecodeOp(b)
		_, _ = point.DecodeRecord(b)
		_, _, _ = point.CutKey(b)
		if id, err := point.ParseID(string(b)); err == nil {
			if again, err := point.ParseID(id.String()); again != id || err != nil {
				t.Fatalf("%q: %v came back as %v, %v", b, id, again, err)
			}
		}
	})
}
