package point

// Op is one change to the points of a shard. It stands in the shard's log and is applied at its place there,
// identically on every replica. The set of kinds is closed: Upsert, Delete, SetPayload, OverwritePayload,
// DeletePayload, ClearPayload, UpdateVectors, DeleteVectors (all used as values, not pointers).
type Op interface{ op() }

// Selector names the points that an operation touches: those with the IDs, or, when IDs is nil, those that match
// Filter (the encoding made by filter.Encode; kept opaque here because filters live a floor above).
type Selector struct {
	IDs    []ID
	Filter []byte
}

// UpsertMode says what Upsert does with points by their existence.
type UpsertMode uint8

// The modes of Upsert.
const (
	InsertOrReplace UpsertMode = iota
	InsertOnly                 // points that exist are left alone
	UpdateOnly                 // points that do not exist are left out
)

// Upsert stores points; a stored point is replaced as a whole. With a Condition (an encoded filter), a point that
// exists is replaced only if it matches.
type Upsert struct {
	Points    []Point
	Mode      UpsertMode
	Condition []byte
}

// Delete removes points. Absent ones are no error.
type Delete struct{ Selector }

// SetPayload merges Payload into the payloads, at Key (a Path, "" for the top).
type SetPayload struct {
	Selector
	Payload Payload
	Key     string
}

// OverwritePayload replaces whole payloads, or what stands at Key.
type OverwritePayload struct {
	Selector
	Payload Payload
	Key     string
}

// DeletePayload removes Keys (Paths) from payloads.
type DeletePayload struct {
	Selector
	Keys []string
}

// ClearPayload empties payloads.
type ClearPayload struct{ Selector }

// UpdateVectors replaces the named vectors of existing points and leaves their other vectors and payloads. A point
// that does not exist makes the whole operation fail (fault.NotFound). Condition is as in Upsert.
type UpdateVectors struct {
	Points    []Point // Payload is nil
	Condition []byte
}

// DeleteVectors removes vectors by name; "" is the unnamed one.
type DeleteVectors struct {
	Selector
	Names []string
}

func (Upsert) op()           {}
func (Delete) op()           {}
func (SetPayload) op()       {}
func (OverwritePayload) op() {}
func (DeletePayload) op()    {}
func (ClearPayload) op()     {}
func (UpdateVectors) op()    {}
func (DeleteVectors) op()    {}

// Grows tells whether an operation may need room on a disk for good: what removes does not.
func Grows(op Op) bool {
	switch op.(type) {
	case Delete, DeletePayload, ClearPayload, DeleteVectors:
		return false
	}
	return true
}
