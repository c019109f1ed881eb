// Package rules holds the tests that keep the tree in its shape: which package may import which, that each says
// what it is for, and how long a file may grow. It has no other code.
package rules
