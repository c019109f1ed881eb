// Package chaos tests the cluster as its users meet it: real processes, real sockets, and what goes wrong with them.
// Its tests have the build tag chaos and run by `make chaos`; a short version runs in `make check`.
//
// TestKilledNodesLoseNothing kills each node in turn, round after round. TestFaultsOfEveryKindLoseNothing puts each node
// into a network namespace of its own and lets a nemesis, whose decisions follow from a seed, kill, stop, cut off, slow
// down and restart nodes, fill a disk and move clocks, such that a majority is left but for short outages, while one more
// node joins, is drained or killed, and is removed, again and again, and clients write, read, delete and declare. What the clients saw, and what every node shows once all is healed, must be what one correct store could
// have done: nothing that was confirmed is missing, nothing that was refused is there, registers and the names of collections
// are linearizable, and all replicas are the same. What the machine does not allow is left out, and said so.
//
// TestManyCollections has Terraform declare many collections and measures what they cost, with 30 of them in `make check` and
// 1,000 by `make scale`.
//
// TestReshardingPausesBriefly cuts a collection anew under load and measures for how long writes of slots wait when these change their
// shard: `make bench-reshard`.
//
// The tests change nothing outside of their temporary directories but the network namespaces and mounts whose names begin
// with ostraka-chaos- and their process id; those are removed in the end, or by the next run if this one dies.
package chaos
