//go:build race

package shard

// raced: the race detector is on, and everything takes much longer.
const raced = true
