// Package mutations proves that the tests see what they are there for: it puts one fault after the other into the node
// (node/internal/mutation) and demands that the test named beside it fails, and that it passes without.
//
// `make mutations` runs it. Its test has the build tag mutation, as have the faults.
package mutations
