//go:build race

package hnsw

// watched: the race detector sees nothing of what happens in mapped memory, links neither: it would not know that they order what
// is read and written elsewhere. So they stay in Go's.
const watched = true
