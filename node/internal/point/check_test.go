package point_test

import (
	"errors"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// nested returns a payload of that many levels, of objects or arrays below the first.
func nested(levels int, arrays bool) point.Payload {
	var v any
	for range levels - 1 {
		if arrays {
			v = []any{v}
		} else {
			v = map[string]any{"k": v}
		}
	}
	return point.Payload{"k": v}
}

func TestCheckNamesWhatIsWrongAndWhere(t *testing.T) {
	for name, c := range map[string]struct {
		p    point.Payload
		want string
	}{
		"NaN":            {point.Payload{"a": map[string]any{"b": []any{math.NaN()}}}, "a.b[]"},
		"infinity":       {point.Payload{"a": math.Inf(-1)}, "finite"},
		"type":           {point.Payload{"a": 1}, "int"},
		"nested type":    {point.Payload{"a": point.Payload{}}, "Payload"},
		"string":         {point.Payload{"a": "\xff"}, "UTF-8"},
		"key":            {point.Payload{"\xff": 1.0}, "key"},
		"nested objects": {nested(point.MaxDepth+1, false), "64 levels"},
		"nested arrays":  {nested(point.MaxDepth+1, true), "64 levels"},
		"size":           {point.Payload{"a": strings.Repeat("x", point.MaxPayloadBytes)}, "16 MiB"},
		"many values":    {point.Payload{"a": make([]any, point.MaxPayloadBytes+1)}, "16 MiB"},
	} {
		err := point.Check(c.p)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if over := strings.HasPrefix(name, "nested o") || name == "size"; over && !errors.Is(err, point.ErrLimit) {
			t.Errorf("%s: %v is no limit", name, err)
		}
	}
	for _, p := range []point.Payload{nil, {}, nested(point.MaxDepth, false), nested(point.MaxDepth, true), goldenRecord().Payload} {
		if err := point.Check(p); err != nil {
			t.Errorf("%v: %v", p, err)
		}
	}
}

func TestWhatChecksCanBeEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := nested(rapid.IntRange(1, point.MaxDepth+3).Draw(t, "levels"), rapid.Bool().Draw(t, "arrays"))
		checked := point.Check(p)
		_, err := point.DecodePayload(point.EncodePayload(p))
		if (checked == nil) != (err == nil) {
			t.Fatalf("check says %v, decoding %v", checked, err)
		}
	})
}

func TestCheckOpLooksAtEveryPart(t *testing.T) {
	bad, inf := point.Payload{"a": math.NaN()}, float32(math.Inf(1))
	deepKey := strings.TrimSuffix(strings.Repeat("a.", point.MaxDepth-1), ".")
	for name, op := range map[string]point.Op{
		"upsert payload":    point.Upsert{Points: []point.Point{{}, {Payload: bad}}},
		"upsert vector":     point.Upsert{Points: []point.Point{{Vectors: point.Vectors{"v": {0, inf}}}}},
		"upsert vector NaN": point.Upsert{Points: []point.Point{{Vectors: point.Vectors{"": {float32(math.NaN())}}}}},
		"upsert name":       point.Upsert{Points: []point.Point{{Vectors: point.Vectors{"\xff": {0}}}}},
		"upsert mode":       point.Upsert{Mode: 3},
		"update vectors":    point.UpdateVectors{Points: []point.Point{{Vectors: point.Vectors{"v": {-inf}}}}},
		"set payload":       point.SetPayload{Payload: bad},
		"set key":           point.SetPayload{Key: "a..b"},
		"set too deep":      point.SetPayload{Key: deepKey, Payload: nested(2, false)},
		"overwrite payload": point.OverwritePayload{Payload: bad},
		"overwrite key":     point.OverwritePayload{Key: "["},
		"delete key":        point.DeletePayload{Keys: []string{"a", ""}},
	} {
		if err := point.CheckOp(op); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, op := range append(goldenOps(), point.SetPayload{Key: deepKey, Payload: nested(1, false)}) {
		if err := point.CheckOp(op); err != nil {
			t.Errorf("%T: %v", op, err)
		}
	}
	if err := point.CheckOp(nil); !fault.Is(err, fault.Internal) {
		t.Errorf("no operation: %v", err)
	}
}

// With a megabyte of key above many members, a place put together for each of them would take minutes.
func TestCheckingTakesTimeByTheSizeOnly(t *testing.T) {
	members := make(map[string]any, 1<<16)
	for i := range 1 << 16 {
		members[strconv.Itoa(i)] = nil
	}
	p := point.Payload{strings.Repeat("k", 1<<20): []any{members}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := point.Check(p); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("checking allocated %d bytes", got)
	}
	members["bad"] = math.NaN()
	if err := point.Check(p); err == nil || len(err.Error()) > 400 || !strings.HasSuffix(err.Error(), "NaN is not a finite number") {
		t.Errorf("%.500v", err)
	}
}

// A payload that a checked operation made can always be read back, however deep its key.
func TestCheckedOperationsNeverNestTooDeeply(t *testing.T) {
	for steps := 1; steps <= point.MaxDepth; steps++ {
		key := strings.TrimSuffix(strings.Repeat("a.", steps), ".")
		for levels := 1; levels <= point.MaxDepth; levels++ {
			op := point.SetPayload{Key: key, Payload: nested(levels, levels%2 == 0)}
			if point.CheckOp(op) != nil {
				continue
			}
			got := parse(t, key).Set(nil, op.Payload)
			if _, err := point.DecodePayload(point.EncodePayload(got)); err != nil {
				t.Fatalf("%d steps and %d levels: %v", steps, levels, err)
			}
		}
	}
}
