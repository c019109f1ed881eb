// Package integration tests whole clusters of real nodes through real sockets, with Qdrant's official Go client as
// its users have it. It has no other code.
package integration
