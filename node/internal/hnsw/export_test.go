package hnsw

// Links are those of a row on a level that it reaches.
func (g *Graph) Links(row uint32, level int) []uint32 { return read(g.links.list(row, level), nil) }

// Level is a row's.
func (g *Graph) Level(row uint32) int { return g.level(row) }
