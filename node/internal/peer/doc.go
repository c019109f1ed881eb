// Package peer owns what nodes say to one another: the listener that Raft and gRPC share, the service and the client
// of peerpb, the ordered replication streams, the pings that tell who is alive, and the way into a cluster.
//
// It promises that nothing from the wire panics, that a node of another cluster is refused, that errors keep their
// fault class across the hop, and that Send never blocks. It never decides anything about shards or metadata: it
// carries requests to the small interfaces declared here. Listeners and dialers are passed in, every goroutine ends
// with the Close of what started it.
package peer

import (
	"context"
	"net"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// Dialer opens a connection to a peer address (HOST:PORT).
type Dialer func(ctx context.Context, addr string) (net.Conn, error)

// Metadata gives the current catalog, and a channel that is closed once there is a newer one.
type Metadata interface {
	Watch() (*catalog.State, <-chan struct{})
}

// MaxPeerID is the largest peer id: ids stay exact in JSON and in clients that keep them as doubles.
const MaxPeerID catalog.PeerID = 1<<53 - 1
