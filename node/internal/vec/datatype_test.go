package vec_test

import (
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestDatatypesHoldWhatTheyCan(t *testing.T) {
	v := []float32{-1.5, 0, 0.99, 1, 1.0001, 254.9, 255, 300, 70000, -70000}
	for datatype, want := range map[vec.Datatype][]float32{
		"":           v,
		vec.Float32:  v,
		vec.HalfType: {-1.5, 0, 0.99023438, 1, 1, 254.875, 255, 300, 65504, -65504},
		vec.ByteType: {0, 0, 0, 1, 1, 254, 255, 255, 255, 0},
	} {
		got := datatype.Held(v)
		if !slices.Equal(got, want) || !datatype.Valid() {
			t.Errorf("%q holds %v, want %v", datatype, got, want)
		}
		if again := datatype.Held(got); !slices.Equal(again, got) {
			t.Errorf("%q holds %v of what it held, %v", datatype, again, got)
		}
	}
	if vec.Datatype("int4").Valid() {
		t.Error("int4 is valid")
	}
}
