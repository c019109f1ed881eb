//go:build race

package replication_test

// simDefault is how many walks a plain run takes; fewer where the race detector makes each take ten times as long.
const simDefault = 2000
