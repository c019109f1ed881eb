package quorum

import (
	"context"
	"fmt"
	"math"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// What a point takes besides its vector: its row in the tables of ids and versions; and a link of a graph.
const (
	bytesPerPoint = 64
	bytesPerLink  = 4
	defaultLinks  = 16
)

// NewMemoryBytes returns the function memory_bytes.
func NewMemoryBytes() function.Function { return memoryBytes{} }

type memoryBytes struct{}

func (memoryBytes) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "memory_bytes"
}

func (memoryBytes) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "About how much memory vectors take",
		MarkdownDescription: "Returns an estimate, in bytes, of the memory that the vectors of one name and their graph take, over all replicas together. " +
			"Payloads stay on disk and are not counted. Needs Terraform 1.8 or OpenTofu 1.7.\n\n" +
			"The sum, for each point of each replica: the components at the size of their datatype (none with `on_disk`), the codes of the quantization " +
			"(`scalar` one byte for each component, `product` by its compression, `binary` one bit; without one, searches walk scalar codes all the same), " +
			"`2 * m` links of 4 bytes (none with `m = 0`), and 64 bytes for ids and versions.",
		Parameters: []function.Parameter{function.DynamicParameter{
			Name: "vectors",
			MarkdownDescription: "An object with `points` and `size`, and as needed `datatype` (`Float32`, `Float16`, `Uint8`), `quantization` (`scalar`, `product`, " +
				"`binary`), `compression` (4 to 64, of `product`; 16), `m` (16), `on_disk` (false), `replicas` (1).",
		}},
		Return: function.NumberReturn{},
	}
}

func (memoryBytes) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var given types.Dynamic
	resp.Error = req.Arguments.Get(ctx, &given)
	if resp.Error != nil {
		return
	}
	var attrs map[string]attr.Value
	switch v := given.UnderlyingValue().(type) {
	case types.Object:
		attrs = v.Attributes()
	case types.Map:
		attrs = v.Elements()
	default:
		resp.Error = function.NewArgumentFuncError(0, "want an object, such as { points = 1000000, size = 768 }")
		return
	}
	v, err := vectorsOf(attrs)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(0, err.Error())
		return
	}
	resp.Error = resp.Result.Set(ctx, v.Bytes())
}

// Vectors is what an estimate is made of.
type Vectors struct {
	Points, Size, Links, Replicas float64
	ComponentBytes                float64 // 0 on disk
	CodeBytes                     float64 // for each component
}

// Bytes returns the estimate.
func (v Vectors) Bytes() float64 {
	return math.Ceil(v.Replicas * v.Points * (v.Size*(v.ComponentBytes+v.CodeBytes) + 2*v.Links*bytesPerLink + bytesPerPoint))
}

func vectorsOf(attrs map[string]attr.Value) (Vectors, error) {
	out := Vectors{Points: -1, Size: -1, Links: defaultLinks, Replicas: 1, ComponentBytes: 4, CodeBytes: 1}
	compression, kind, onDisk := 16.0, "", false
	for name, value := range attrs {
		var err error
		switch name {
		case "points":
			out.Points, err = numberOf(name, value)
		case "size":
			out.Size, err = numberOf(name, value)
		case "m":
			out.Links, err = numberOf(name, value)
		case "replicas":
			out.Replicas, err = numberOf(name, value)
		case "compression":
			if compression, err = numberOf(name, value); err == nil && compression < 1 {
				err = fmt.Errorf("compression: want at least 1")
			}
		case "on_disk":
			onDisk, err = boolOf(name, value)
		case "datatype":
			out.ComponentBytes, err = choose(name, value, map[string]float64{"Float32": 4, "Float16": 2, "Uint8": 1})
		case "quantization":
			kind = textOf(value)
			_, err = choose(name, value, map[string]float64{"scalar": 1, "product": 1, "binary": 1})
		default:
			err = fmt.Errorf("%s is not known: there are points, size, datatype, quantization, compression, m, on_disk and replicas", name)
		}
		if err != nil {
			return out, err
		}
	}
	if out.Points < 0 || out.Size < 0 {
		return out, fmt.Errorf("points and size are needed")
	}
	out.CodeBytes = map[string]float64{"": 1, "scalar": 1, "product": 4 / compression, "binary": 1.0 / 8}[kind]
	if onDisk {
		out.ComponentBytes = 0
	}
	return out, nil
}

func numberOf(name string, value attr.Value) (float64, error) {
	n, ok := value.(types.Number)
	if !ok || n.IsNull() || n.IsUnknown() {
		return 0, fmt.Errorf("%s: want a number", name)
	}
	f, _ := n.ValueBigFloat().Float64()
	if f < 0 || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%s: want a number from 0 on", name)
	}
	return f, nil
}

func boolOf(name string, value attr.Value) (bool, error) {
	b, ok := value.(types.Bool)
	if !ok || b.IsNull() || b.IsUnknown() {
		return false, fmt.Errorf("%s: want true or false", name)
	}
	return b.ValueBool(), nil
}

func textOf(value attr.Value) string {
	s, _ := value.(types.String)
	return s.ValueString()
}

func choose(name string, value attr.Value, choices map[string]float64) (float64, error) {
	v, ok := choices[textOf(value)]
	if !ok {
		return 0, fmt.Errorf("%s: %s is none of its values", name, value)
	}
	return v, nil
}
