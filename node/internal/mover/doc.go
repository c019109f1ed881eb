// Package mover drives moves of slots between shards (docs/design/resharding.md): for each move of which this node leads the
// target or the source, it does what package move says is next.
//
// It promises that each of its steps may be repeated, by itself or by another node, and that whatever it begins ends with Close.
// It never decides that slots should move: that is the catalog's.
package mover
