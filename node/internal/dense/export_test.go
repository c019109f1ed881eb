package dense

// Rows is the number of rows that memory is held for.
func (x *Index) Rows() int {
	c := x.state.Load().core
	return len(*c.blocks.Load()) * c.perBlock
}
