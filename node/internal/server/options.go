package server

import (
	"context"
	"net"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/overload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// Options configure a node. DataDir, Name and either the addresses or Listeners are needed; a new data directory
// also needs one of Bootstrap, Join and BootstrapExpect.
type Options struct {
	DataDir string
	Name    string
	Zone    string
	Version string
	Commit  string

	HTTPAddr, GRPCAddr, PeerAddr                string // to listen on
	AdvertiseHTTP, AdvertiseGRPC, AdvertisePeer string // as others reach them; default: the listen addresses

	Bootstrap       bool
	Join            []string // peer addresses of any members
	BootstrapExpect int

	// Listeners, where given, are used instead of listening on the addresses; the node closes them.
	Listeners Listeners
	// FS is what DataDir is on; nil: the operating system's files. IndexDir is where indexes are kept, always as the operating
	// system's files; "" is a directory in DataDir, or, with FS, nowhere.
	FS       vfs.FS
	IndexDir string
	// DiskReserve is how many bytes of the disk are held back for what must go on when it is full; 0: as much as suits the disk
	// (disk.WardenOptions), below 0: none.
	DiskReserve int64
	// Dial opens connections to other peers; nil means TCP.
	Dial peer.Dialer
	// BeforeDiskWrite, if not nil, is called before each transaction of the store goes to the disk (kv.Options.BeforeWrite).
	BeforeDiskWrite func()
	// LogBytes and LogEntries bound each replica's log; 0 means replica.Options' defaults.
	LogBytes, LogEntries int
	// VerifyEvery is how often the replicas of each shard are compared in the background, reading at most VerifyPace bytes a
	// second of each (0: 8 MiB); 0 means never.
	VerifyEvery time.Duration
	VerifyPace  uint64
	// NoClusterService leaves out ostraka.cluster.v1 at the clients' door, as a plain Qdrant has none: for tests of clients.
	NoClusterService bool
	// Limits bounds what clients may ask of this node at once, MemoryLimit what its process may take of memory before it refuses
	// more data (0: 85 % of what the machine or the container has).
	Limits      overload.Limits
	MemoryLimit int64
	// DrainTimeout bounds how long Shutdown waits for others to take over; 0 means 5 s.
	DrainTimeout time.Duration
	Logger       hclog.Logger
}

// Listeners are a node's three doors.
type Listeners struct{ HTTP, GRPC, Peer net.Listener }

func (o Options) validated() (Options, error) {
	if o.DataDir == "" || o.Name == "" {
		return o, fault.New(fault.Invalid, "a node needs a data directory and a name")
	}
	if o.FS == nil {
		o.FS = vfs.Default
		if o.IndexDir == "" {
			o.IndexDir = filepath.Join(o.DataDir, indexDir)
		}
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		}
	}
	if o.DrainTimeout <= 0 {
		o.DrainTimeout = 5 * time.Second
	}
	return o, nil
}

// listen opens the doors that were not given, and fills in what is advertised.
func (o *Options) listen(ctx context.Context) error {
	for _, d := range []struct {
		listener  *net.Listener
		addr      string
		advertise *string
		flag      string
	}{
		{&o.Listeners.HTTP, o.HTTPAddr, &o.AdvertiseHTTP, "--http-addr"},
		{&o.Listeners.GRPC, o.GRPCAddr, &o.AdvertiseGRPC, "--grpc-addr"},
		{&o.Listeners.Peer, o.PeerAddr, &o.AdvertisePeer, "--peer-addr"},
	} {
		if *d.listener == nil {
			l, err := new(net.ListenConfig).Listen(ctx, "tcp", d.addr)
			if err != nil {
				o.Listeners.close()
				return fault.Wrap(fault.Unavailable, err, "%s", d.flag)
			}
			*d.listener = l
		}
		if *d.advertise == "" {
			*d.advertise = (*d.listener).Addr().String()
		}
	}
	return nil
}

// close closes the doors again when the node could not be built.
func (l Listeners) close() {
	for _, listener := range []net.Listener{l.HTTP, l.GRPC, l.Peer} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}
