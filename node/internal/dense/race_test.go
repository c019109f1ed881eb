//go:build race

package dense_test

// raced says that the race detector is on: everything is ten times slower, and pools forget on purpose.
const raced = true
