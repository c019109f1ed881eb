package client

import (
	"github.com/qdrant/go-client/qdrant"
)

// Quantization says how vectors are compressed for searching. At most one is set; none, in an update, turns it off.
type Quantization struct {
	Scalar  *ScalarQuantization
	Product *ProductQuantization
	Binary  *BinaryQuantization
}

// ScalarQuantization makes each component one byte.
type ScalarQuantization struct {
	Quantile  *float32 // share of values within the range of the codes
	AlwaysRAM *bool
}

// ProductQuantization makes groups of components one byte each.
type ProductQuantization struct {
	Compression string // x4, x8, x16, x32 or x64
	AlwaysRAM   *bool
}

// BinaryQuantization makes each component one bit or two.
type BinaryQuantization struct {
	Encoding      string // OneBit, TwoBits or OneAndHalfBits; "": not said
	QueryEncoding string // Default, Binary, Scalar4Bits or Scalar8Bits; "": not said
	AlwaysRAM     *bool
}

// Compressions returns what ProductQuantization.Compression can be.
func Compressions() []string { return []string{"x4", "x8", "x16", "x32", "x64"} }

// BinaryEncodings returns what BinaryQuantization.Encoding can be.
func BinaryEncodings() []string { return []string{"OneBit", "TwoBits", "OneAndHalfBits"} }

// QueryEncodings returns what BinaryQuantization.QueryEncoding can be.
func QueryEncodings() []string { return []string{"Default", "Binary", "Scalar4Bits", "Scalar8Bits"} }

func (q *Quantization) off() bool { return q.Scalar == nil && q.Product == nil && q.Binary == nil }

func (q *Quantization) wire() (*qdrant.QuantizationConfig, error) {
	out, err := q.wireOrError()
	if err != nil { // not a nil *Error in an error
		return nil, err
	}
	return out, nil
}

func (q *Quantization) wireOrError() (*qdrant.QuantizationConfig, *Error) {
	if q == nil || q.off() {
		return nil, nil
	}
	switch {
	case q.Product != nil:
		product, err := q.Product.wire()
		if err != nil {
			return nil, err
		}
		return qdrant.NewQuantizationProduct(product), nil
	case q.Binary != nil:
		binary, err := q.Binary.wire()
		if err != nil {
			return nil, err
		}
		return qdrant.NewQuantizationBinary(binary), nil
	default:
		return qdrant.NewQuantizationScalar(q.Scalar.wire()), nil
	}
}

func (q *Quantization) diff() (*qdrant.QuantizationConfigDiff, error) {
	if q == nil {
		return nil, nil
	}
	if q.off() {
		return qdrant.NewQuantizationDiffDisabled(), nil
	}
	config, err := q.wireOrError()
	switch {
	case err != nil:
		return nil, err
	case config.GetProduct() != nil:
		return qdrant.NewQuantizationDiffProduct(config.GetProduct()), nil
	case config.GetBinary() != nil:
		return qdrant.NewQuantizationDiffBinary(config.GetBinary()), nil
	default:
		return qdrant.NewQuantizationDiffScalar(config.GetScalar()), nil
	}
}

func (s *ScalarQuantization) wire() *qdrant.ScalarQuantization {
	return &qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8, Quantile: s.Quantile, AlwaysRam: s.AlwaysRAM}
}

func (p *ProductQuantization) wire() (*qdrant.ProductQuantization, *Error) {
	ratio, ok := qdrant.CompressionRatio_value[p.Compression]
	if !ok {
		return nil, invalid("product quantization: compression %q: want x4, x8, x16, x32 or x64", p.Compression)
	}
	return &qdrant.ProductQuantization{Compression: qdrant.CompressionRatio(ratio), AlwaysRam: p.AlwaysRAM}, nil
}

func (b *BinaryQuantization) wire() (*qdrant.BinaryQuantization, *Error) {
	out := &qdrant.BinaryQuantization{AlwaysRam: b.AlwaysRAM}
	if b.Encoding != "" {
		encoding, ok := qdrant.BinaryQuantizationEncoding_value[b.Encoding]
		if !ok {
			return nil, invalid("binary quantization: encoding %q: want OneBit, TwoBits or OneAndHalfBits", b.Encoding)
		}
		out.Encoding = qdrant.BinaryQuantizationEncoding(encoding).Enum()
	}
	if b.QueryEncoding != "" {
		setting, ok := qdrant.BinaryQuantizationQueryEncoding_Setting_value[b.QueryEncoding]
		if !ok {
			return nil, invalid("binary quantization: query encoding %q: want Default, Binary, Scalar4Bits or Scalar8Bits", b.QueryEncoding)
		}
		out.QueryEncoding = &qdrant.BinaryQuantizationQueryEncoding{Variant: &qdrant.BinaryQuantizationQueryEncoding_Setting_{
			Setting: qdrant.BinaryQuantizationQueryEncoding_Setting(setting),
		}}
	}
	return out, nil
}

// quantizationOf returns nil for none, and for a kind that is not known here.
func quantizationOf(c *qdrant.QuantizationConfig) *Quantization {
	switch q := c.GetQuantization().(type) {
	case *qdrant.QuantizationConfig_Scalar:
		return &Quantization{Scalar: &ScalarQuantization{Quantile: q.Scalar.Quantile, AlwaysRAM: q.Scalar.AlwaysRam}}
	case *qdrant.QuantizationConfig_Product:
		return &Quantization{Product: &ProductQuantization{Compression: q.Product.GetCompression().String(), AlwaysRAM: q.Product.AlwaysRam}}
	case *qdrant.QuantizationConfig_Binary:
		out := &BinaryQuantization{AlwaysRAM: q.Binary.AlwaysRam}
		if q.Binary.Encoding != nil {
			out.Encoding = q.Binary.GetEncoding().String()
		}
		if v, ok := q.Binary.GetQueryEncoding().GetVariant().(*qdrant.BinaryQuantizationQueryEncoding_Setting_); ok {
			out.QueryEncoding = v.Setting.String()
		}
		return &Quantization{Binary: out}
	}
	return nil
}
