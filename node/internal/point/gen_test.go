package point_test

import (
	"math"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func ids() *rapid.Generator[point.ID] {
	return rapid.Custom(func(t *rapid.T) point.ID {
		if rapid.Bool().Draw(t, "uuid") {
			return point.UUID([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
		}
		return point.Num(rapid.Uint64().Draw(t, "number"))
	})
}

func keys() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "c", "d-1", "ü_2", "", "a b", "x.y", "z[]"}), rapid.StringN(0, 8, 24))
}

func values(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.String().AsAny(),
		rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).AsAny(),
		rapid.SampledFrom([]any{int64(0), 0.0, math.Copysign(0, -1), 5.0, 1e300, 5e-324, int64(math.MaxInt64), int64(math.MinInt64)}),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	return rapid.OneOf(append(scalars,
		rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(values(depth-1), 0, 3).Draw(t, "array") }),
		rapid.Custom(func(t *rapid.T) any { return rapid.MapOfN(keys(), values(depth-1), 0, 3).Draw(t, "object") }))...)
}

// payloads makes payloads; an empty one is nil, as decoders give it.
func payloads() *rapid.Generator[point.Payload] {
	return rapid.Custom(func(t *rapid.T) point.Payload {
		if m := rapid.MapOfN(keys(), values(3), 0, 4).Draw(t, "payload"); len(m) > 0 {
			return m
		}
		return nil
	})
}

func vectors() *rapid.Generator[point.Vectors] {
	return rapid.Custom(func(t *rapid.T) point.Vectors {
		component := rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32)
		if m := rapid.MapOfN(keys(), rapid.SliceOfN(component, 0, 5), 0, 3).Draw(t, "vectors"); len(m) > 0 {
			return m
		}
		return nil
	})
}

func sparse() *rapid.Generator[point.SparseVectors] {
	return rapid.Custom(func(t *rapid.T) point.SparseVectors {
		one := rapid.Custom(func(t *rapid.T) point.Sparse {
			indices := rapid.SliceOfNDistinct(rapid.Uint32(), 0, 5, rapid.ID).Draw(t, "indices")
			values := rapid.SliceOfN(rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32), len(indices), len(indices)).Draw(t, "values")
			s, err := point.NewSparse(indices, values)
			if err != nil {
				t.Fatal(err)
			}
			return s
		})
		if m := rapid.MapOfN(keys(), one, 0, 3).Draw(t, "sparse"); len(m) > 0 && rapid.Bool().Draw(t, "any") {
			return m
		}
		return nil
	})
}

func points() *rapid.Generator[point.Point] {
	return rapid.Custom(func(t *rapid.T) point.Point {
		return point.Point{ID: ids().Draw(t, "id"), Vectors: vectors().Draw(t, "vectors"), Sparse: sparse().Draw(t, "sparse"), Payload: payloads().Draw(t, "payload")}
	})
}

func selectors() *rapid.Generator[point.Selector] {
	return rapid.Custom(func(t *rapid.T) point.Selector {
		if rapid.Bool().Draw(t, "byID") {
			return point.Selector{IDs: append([]point.ID{}, rapid.SliceOfN(ids(), 0, 4).Draw(t, "ids")...)}
		}
		return point.Selector{Filter: blob(t)}
	})
}

func blob(t *rapid.T) []byte {
	return append([]byte(nil), rapid.SliceOfN(rapid.Byte(), 0, 6).Draw(t, "filter")...)
}

func some[T any](t *rapid.T, g *rapid.Generator[T]) []T {
	return append([]T(nil), rapid.SliceOfN(g, 0, 3).Draw(t, "list")...)
}

// ops makes operations of every kind that pass CheckOp but for their keys, which need not be paths.
func ops() *rapid.Generator[point.Op] {
	return rapid.Custom(func(t *rapid.T) point.Op {
		s := selectors().Draw(t, "selector")
		switch rapid.IntRange(1, 8).Draw(t, "kind") {
		case 1:
			mode := point.UpsertMode(rapid.IntRange(0, 2).Draw(t, "mode"))
			return point.Upsert{Points: some(t, points()), Mode: mode, Condition: blob(t)}
		case 2:
			return point.Delete{Selector: s}
		case 3:
			return point.SetPayload{Selector: s, Payload: payloads().Draw(t, "payload"), Key: keys().Draw(t, "key")}
		case 4:
			return point.OverwritePayload{Selector: s, Payload: payloads().Draw(t, "payload"), Key: keys().Draw(t, "key")}
		case 5:
			return point.DeletePayload{Selector: s, Keys: some(t, keys())}
		case 6:
			return point.ClearPayload{Selector: s}
		case 7:
			list := some(t, points())
			for i := range list {
				list[i].Payload = nil
			}
			return point.UpdateVectors{Points: list, Condition: blob(t)}
		}
		return point.DeleteVectors{Selector: s, Names: some(t, keys())}
	})
}
