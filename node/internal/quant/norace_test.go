//go:build !race

package quant_test

// raced says that the race detector is on.
const raced = false
