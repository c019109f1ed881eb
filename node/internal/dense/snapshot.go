package dense

// Snapshot is an index as it was published at one moment. It is a value, and good for as long as the Index is open.
type Snapshot struct {
	x *Index
	*state
}

// Len returns the number of vectors.
func (s Snapshot) Len() int { return s.count }

// Presence is what a snapshot knows of a label.
type Presence uint8

// What a Snapshot says of a label. Unknown: it has changed since, and only the store can tell.
const (
	Absent Presence = iota
	Present
	Unknown
)

// Has tells whether a label had a vector.
func (s Snapshot) Has(label uint32) Presence {
	row, ok := s.core.row(label)
	switch {
	case !ok:
		return Absent
	case row >= s.rows:
		return Unknown
	case s.visible(row):
		return Present
	}
	return Absent
}

// visible reports whether a row that the snapshot counts lived then.
func (s *state) visible(row uint32) bool {
	b, at := s.core.place(row)
	died := b.died[at].Load()
	return died == 0 || died > s.seq
}

// place finds a row that a snapshot counts.
func (c *core) place(row uint32) (b *block, at int) {
	return (*c.blocks.Load())[int(row)/c.perBlock], int(row) % c.perBlock
}

func (c *core) vector(row uint32) []float32 {
	b, at := c.place(row)
	return b.vectors[at*c.size : (at+1)*c.size]
}
