package catalog_test

import (
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestVectorsAreComparedWithWhatIsDeclared(t *testing.T) {
	c := &catalog.Config{
		Vectors:       map[string]catalog.VectorParams{"": {Size: 2, Distance: vec.Dot}, "m": {Size: 2, Distance: vec.Dot, Multi: true}},
		SparseVectors: map[string]catalog.SparseParams{"s": {}},
	}
	for _, err := range []error{
		c.CheckDense("", []float32{1, 2}), c.CheckDense("m", []float32{1, 2}), c.CheckDense("m", make([]float32, 6)), c.CheckSparse("s"), c.CheckNames([]string{"", "m", "s"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for text, err := range map[string]error{
		"expected dim: 2, got 1":                               c.CheckDense("", []float32{1}),
		"expected dim: 2, got 3":                               c.CheckDense("m", make([]float32, 3)),
		"has no vectors":                                       c.CheckDense("m", nil),
		"at most 1048576":                                      c.CheckDense("m", make([]float32, catalog.MaxMulti+2)),
		"Not existing vector name error: x":                    c.CheckDense("x", nil),
		"Not existing vector name error: y":                    c.CheckSparse("y"),
		"Not existing vector name error: z":                    c.CheckNames([]string{"", "z"}),
		"Conversion between sparse and regular vectors failed": c.CheckSparse("m"),
	} {
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %s", err, text)
		}
	}
	if err := c.CheckDense("s", []float32{1}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}
