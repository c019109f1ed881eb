//go:build !race

package hnsw

const watched = false
