// Package cluster owns the service ostraka.cluster.v1.Cluster: who is in the cluster, where every replica is, declared
// and actual, and what is not as declared and why, in words for people.
//
// The answers are pure functions of the metadata and of what was observed at one moment (Observations); the Service
// gathers those and calls them. A Watcher writes down, as events and metrics, what happens to the cluster while this node
// looks on; the Service tells that too, and has replicas compared on request. Nothing here changes the metadata.
package cluster
