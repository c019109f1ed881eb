package flat

// Rows is the number of rows that memory is held for.
func (x *Index) Rows() int { return len(x.blocks) * x.perBlock }
