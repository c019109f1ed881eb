//go:build !race

package replication_test

// simDefault is how many walks a plain run takes.
const simDefault = 3500
