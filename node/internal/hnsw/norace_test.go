//go:build !race

package hnsw_test

// few is a smaller number under the race detector.
func few(n int) int { return n }
