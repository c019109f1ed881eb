package client

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

// PointID is a point's id: a number or a UUID. It is comparable; the zero value is the number 0.
type PointID struct {
	uuid string // hyphenated, lower case; "" for a number
	num  uint64
}

// Num returns the id of a number.
func Num(n uint64) PointID { return PointID{num: n} }

// ParseID reads a number in decimal or a UUID in any of its usual forms.
func ParseID(s string) (PointID, error) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return Num(n), nil
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return PointID{}, fmt.Errorf("point id %.64q: want a number from 0 to 2^64-1 or a UUID", s)
	}
	return PointID{uuid: u.String()}, nil
}

// Number returns the number, and false for a UUID.
func (id PointID) Number() (uint64, bool) { return id.num, id.uuid == "" }

// String returns the number in decimal, or the UUID hyphenated in lower case.
func (id PointID) String() string {
	if id.uuid != "" {
		return id.uuid
	}
	return strconv.FormatUint(id.num, 10)
}

// MarshalJSON writes a number as a number and a UUID as a string.
func (id PointID) MarshalJSON() ([]byte, error) {
	if id.uuid != "" {
		return json.Marshal(id.uuid)
	}
	return strconv.AppendUint(nil, id.num, 10), nil
}

// Vectors are a point's dense vectors by name; "" is the unnamed vector.
type Vectors map[string][]float32

// Point is what Upsert stores.
type Point struct {
	ID      PointID
	Vectors Vectors
	Payload map[string]any // JSON values: nil, bool, numbers, string, []any, map[string]any
}

// Record is a stored point, as far as it was asked for.
type Record struct {
	ID      PointID
	Vectors Vectors        // nil when not asked for
	Payload map[string]any // nil, bool, int64, float64, string, []any, map[string]any
}

// Scored is one result of a query.
type Scored struct {
	Record
	Score   float32 // similarity (Cosine, Dot: higher is nearer) or distance (Euclid, Manhattan: lower is nearer)
	Version uint64  // grows with every change of the point
}

// Selector names points: those with the IDs, or, when IDs is nil, those that match Filter.
type Selector struct {
	IDs    []PointID
	Filter *Filter
}

// Filter holds conditions: all of Must, one of Should (if there are any), none of MustNot. Nil or empty: every point.
type Filter struct {
	Must    []Condition
	Should  []Condition
	MustNot []Condition
}

// Condition is one test: of a payload value (Key and Equals), of the id (HasID), or a nested Filter.
type Condition struct {
	Key    string
	Equals any // string, bool, an integer, or a float64 (tested as a range of one value)
	HasID  []PointID
	Filter *Filter
}

// WriteOptions says when a write is answered.
type WriteOptions struct {
	// Wait asks for the answer once enough replicas have applied the write, so that every search sees it. Without
	// it the answer comes once enough replicas hold it.
	Wait bool
}

// WriteResult says what a write came to.
type WriteResult struct {
	OperationID uint64
	Completed   bool // applied; false: acknowledged only
}

// QueryRequest asks for the points nearest to Vector, or to the point ID (which is left out of the answer).
type QueryRequest struct {
	Vector         []float32
	ID             *PointID
	Using          string // name of the vector; "" is the unnamed one
	Filter         *Filter
	Limit          uint64 // 0: the server's default, 10
	Offset         uint64
	ScoreThreshold *float32
	WithPayload    bool
	WithVectors    bool
}

// ScrollRequest asks for points in the order of their ids.
type ScrollRequest struct {
	Filter      *Filter
	From        *PointID // the first id, inclusive; nil: from the start
	Limit       uint32   // 0: the server's default, 10
	WithPayload bool
	WithVectors bool
}

// GetRequest asks for points by id.
type GetRequest struct {
	IDs         []PointID
	WithPayload bool
	WithVectors bool
}
