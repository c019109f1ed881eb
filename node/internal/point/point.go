// Package point owns the values that a collection is made of: point ids, vectors, payloads, and the operations
// that change them, with their binary forms.
//
// Everything here is a plain value. Encodings are deterministic (equal values give equal bytes), versioned, and
// bounded: a decoder never allocates more than its input justifies and never panics on foreign bytes.
package point

// Vectors are a point's dense vectors by name; "" names the unnamed vector. Components are finite.
type Vectors map[string][]float32

// Payload is a point's JSON object. Values are nil, bool, int64, float64 (finite), string, []any and
// map[string]any of the same, nested at most MaxDepth levels.
type Payload map[string]any

// Member returns the member of a name.
func (p Payload) Member(name string) (v any, ok bool) {
	v, ok = p[name]
	return v, ok
}

// MaxDepth bounds the nesting of payloads (and of filters over them).
const MaxDepth = 64

// Point is what a client stores.
type Point struct {
	ID      ID
	Vectors Vectors
	Sparse  SparseVectors
	Payload Payload
}

// Record is a stored point. Version is the log index of the operation that last changed it.
type Record struct {
	Point
	Version uint64
	// ShardKey is the key of the shard that the point was read from; shards themselves leave it nil.
	ShardKey *ShardKey
}
