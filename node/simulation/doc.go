// Package simulation tests whole clusters of real nodes inside a testing/synctest bubble: the node's own code from its
// doors to its store, a network in memory, and time that passes only when everybody waits. Schedules of crashes, cuts
// and slow links that take a minute of a cluster's life run in a fraction of a second. It has no other code.
//
// A seed decides the schedule, what the clients do, and how slow each packet and each disk write is. It does not
// decide how goroutines interleave, nor the ids that nodes choose: a seed that failed is likely, not certain, to fail
// again. The timeline that a failure prints is therefore part of the evidence.
//
// What is covered: crashes (a node's disk, in memory, is cloned at an instant at which nothing in the whole cluster
// runs, the node is cut off in the same instant, and its successor starts from the clone), with commits that had not
// reached the disk then, because a disk write takes virtual time before it happens; loss of power (the same, but what was not
// synced is lost, all of it or block by block, packets under way are lost, and nobody is told); outages of all nodes; cuts in one direction and in both, between
// any hosts, clients among them; connections that break; slow links; packets of different connections overtaking one
// another; planned restarts.
//
// What is not covered: full and lying disks; processes that stop and go on; clocks that jump, or run at different speeds.
package simulation
