//go:build !race

package hnsw_test

// raced says that the race detector is on.
const raced = false

// few is a smaller number under the race detector.
func few(n int) int { return n }
