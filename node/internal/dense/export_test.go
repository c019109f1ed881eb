package dense

// Rows is the number of rows that were written.
func (x *Index) Rows() int { return int(x.mu.core.next) }
