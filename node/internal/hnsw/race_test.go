//go:build race

package hnsw_test

// few is a smaller number under the race detector, which makes everything ten times slower.
func few(n int) int { return n / 5 }
