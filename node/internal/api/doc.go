// Package api owns the Qdrant side of a node: the gRPC services Qdrant, Collections, Points and Snapshots, with the
// generated types of the official Go client, beside grpc.health.v1 and reflection.
//
// It translates: a request is examined as a whole (guard), converted to the values of the packages below, checked
// against the collection's declaration, and handed to the coordinator or proposed as a change of the metadata.
// Generated types stop here. It promises that no field of a request is silently ignored: a field is honoured, or it
// is refused by name, and a field that this server does not know is refused as well, so that a newer client's
// filter never becomes a filter that matches everything. It never keeps state, never retries a write, and never
// applies one part of a request whose other part is malformed.
package api
