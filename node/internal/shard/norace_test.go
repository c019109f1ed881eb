//go:build !race

package shard

const raced = false
