// Package coordinator owns the way of a client's request through the cluster: which collection and shards it is for,
// which replicas serve it, what is tried again, and how the parts become one answer.
//
// Any node coordinates any request. A Coordinator keeps no data and starts no goroutine that outlives a call. It
// promises that a request is checked against the collection's schema before anything is sent, that a write is never
// sent twice unless the first was surely not applied, that a client which stays with one node reads its own writes,
// and that an error says which shard failed, why, and whether the write may still take effect. It never decides who is
// primary or active: that is the catalog's.
package coordinator
