// Package audit owns anti-entropy: it compares the replicas of a shard by their digests, all at one place of the log,
// tells the nodes that hold them what came of it, and has the copies in the minority made anew.
//
// It promises that digests are compared at equal indexes only, that no write waits for a comparison, that the check in
// the background reads slowly and one shard at a time, and that a copy is demoted only while another is kept.
// Replicas of one index can differ only when a disk, a program or a person changed one behind the protocol's back: the
// package repairs, and never explains.
package audit
