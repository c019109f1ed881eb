package sparse

// Rows is the number of rows that memory is held for.
func (x *Index) Rows() int { return int(x.mu.core.next) }
