package vec

// Datatype is what the components of stored vectors are.
type Datatype string

// The datatypes. An empty one is float32 too.
const (
	Float32  Datatype = "float32"
	HalfType Datatype = "float16"
	ByteType Datatype = "uint8"
)

// Valid reports whether there is such a datatype.
func (t Datatype) Valid() bool { return t == "" || t == Float32 || t == HalfType || t == ByteType }

// largestHalf is the largest finite Float16.
const largestHalf = 65504

// Held returns what of a vector this datatype holds: v itself or a copy. What is too large or too small becomes the largest
// or the smallest number that it holds; of others, float16 holds the nearest, and uint8 what is in front of the point.
func (t Datatype) Held(v []float32) []float32 {
	switch t {
	case HalfType:
		out := make([]float32, len(v))
		for i, x := range v {
			out[i] = ToFloat16(min(max(x, -largestHalf), largestHalf)).Float32()
		}
		return out
	case ByteType:
		out := make([]float32, len(v))
		for i, x := range v {
			out[i] = float32(uint8(min(max(x, 0), 255)))
		}
		return out
	case "", Float32:
	}
	return v
}
