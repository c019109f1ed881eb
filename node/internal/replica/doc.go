// Package replica drives the replication protocol over the local copies of shards.
//
// It owns, per local replica, one runner: the goroutine that holds the protocol's state machine (replication.Core),
// makes its effects durable through kv, sends its messages, applies what is committed to the shard, answers
// writers, and carries its wishes for metadata changes to the catalog. The Manager opens, runs and closes the
// replicas that the catalog puts on this peer. It bounds their logs, and fills those that a log does not reach back to from
// snapshots (docs/design/recovery.md).
//
// It promises the order that replication.Ready states (nothing is said before what it says is durable), that a
// writer is answered once and truthfully, and that Close returns after every goroutine has ended. It never decides
// who is primary or who counts: that is the catalog's.
package replica
