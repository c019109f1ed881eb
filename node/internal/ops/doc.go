// Package ops owns what operators look at: the HTTP listener with liveness, readiness and metrics, and the metrics
// of gRPC requests.
//
// It holds no state of its own: readiness is asked for at every request, so it turns false again when the node can no
// longer serve. It never serves data; clients of the REST API are told to use gRPC.
package ops
