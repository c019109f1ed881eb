package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/audit"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mover"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Server is a node at work.
type Server struct {
	opts       Options
	logger     hclog.Logger
	id         identity
	registry   *prometheus.Registry
	membership *peer.Membership

	warden   *disk.Warden
	store    *kv.Store
	raft     *consensus.Node
	network  network
	replicas *replica.Manager
	mover    *mover.Mover
	routes   *coordinator.Coordinator
	runner   *reconcile.Runner
	auditor  *audit.Auditor
	events   *event.Log
	gauges   *gauges

	peers, clients *grpc.Server
	peerDoor       *listener
	gates          gates
	http           *http.Server

	formed   atomic.Bool // a member of a cluster that has caught up with its metadata
	draining atomic.Bool
	caughtUp atomic.Bool // see behind
	began    time.Time
	closing  []closer        // in the order of opening
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	failed   chan error // capacity 1: a door broke
}

// closer is one part to close, for the error text.
type closer struct {
	what  string
	close func() error
}

// Open starts a node and gets it into its cluster: it returns when the node is a member and serves, or with an
// error when ctx ends before or the options are wrong. Nothing is left running after an error.
func Open(ctx context.Context, opts Options) (*Server, error) {
	opts, err := opts.validated()
	if err != nil {
		return nil, err
	}
	if err := disk.MakeDir(opts.FS, opts.DataDir); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := opts.listen(ctx); err != nil {
		return nil, err
	}
	s := &Server{opts: opts, logger: opts.Logger, registry: prometheus.NewRegistry(), events: event.New(0), began: time.Now(), failed: make(chan error, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.gauges = &gauges{s: s}
	for _, step := range []func(context.Context) error{
		s.openDisk, s.openNetwork, s.openReplicas, s.openAuditor, s.openPeerDoor, s.openHTTPDoor, s.form, s.openWatcher, s.openClientDoor,
	} {
		if err := step(ctx); err != nil {
			opts.Listeners.close()
			return nil, errors.Join(err, s.Close())
		}
	}
	s.wg.Go(func() { s.trim(s.ctx) })
	s.logger.Info("serving", "peer", s.id.PeerID, "name", opts.Name, "grpc", opts.AdvertiseGRPC, "http", opts.AdvertiseHTTP)
	return s, nil
}

// opened notes a part for Close.
func (s *Server) opened(what string, close func() error) {
	s.closing = append(s.closing, closer{what, close})
}

// openDisk finds out who this node is and opens its store and the metadata.
func (s *Server) openDisk(context.Context) error {
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	dir := s.opts.DataDir
	// The store comes first: its lock keeps a second process out of the directory.
	known, err := loadIdentity(s.opts.FS, dir)
	if err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	s.id = known
	s.warden, err = disk.OpenWarden(disk.WardenOptions{
		FS: s.opts.FS, Dir: dir, Reserve: s.opts.DiskReserve, Registerer: s.registry, Logger: s.logger.Named("disk"), Changed: s.diskChanged,
	})
	if err != nil {
		return err
	}
	s.opened("disk", s.warden.Close)
	s.store, err = kv.Open(kv.Options{
		Dir: filepath.Join(dir, storeDir), FS: s.opts.FS, Warden: s.warden, Registerer: s.registry, Logger: s.logger.Named("kv"), BeforeWrite: s.opts.BeforeDiskWrite,
	})
	if err != nil {
		return s.advise(fmt.Errorf("store: %w", err))
	}
	s.opened("store", s.store.Close)
	s.membership = peer.NewMembership(known.ClusterID, func(id string) error {
		return identity{PeerID: known.PeerID, ClusterID: id}.save(s.opts.FS, dir)
	})
	return nil
}

// advise says what to do about damage of what a node cannot do without: its log and terms are promises that it made, so it does not
// start with a part of them.
func (s *Server) advise(err error) error {
	if !fault.Is(err, fault.Corrupt) {
		return err
	}
	return fault.Wrap(fault.Corrupt, err, "the data in %s is damaged, and this node does not start on it. Move the directory away and start the node "+
		"with its name (%s) and --join: it comes back empty and is filled from the other copies. What no other node has a copy of "+
		"(`ostraka status` on any of them lists it) is lost with the directory", s.opts.DataDir, s.opts.Name)
}

// self is how this node introduces itself.
func (s *Server) self() catalog.Peer {
	return catalog.Peer{
		ID: s.id.PeerID, Name: s.opts.Name, Zone: s.opts.Zone, Version: s.opts.Version,
		GRPCAddr: s.opts.AdvertiseGRPC, PeerAddr: s.opts.AdvertisePeer, HTTPAddr: s.opts.AdvertiseHTTP,
	}
}

// openReplicas opens what stands on the network: the reconciler, the replicas and the routing.
func (s *Server) openReplicas(context.Context) error {
	var err error
	s.replicas, err = replica.NewManager(replica.Options{
		Self: s.id.PeerID, Store: s.store, Metadata: s.raft, Sender: s.network.sender, Liveness: s.network.monitor, Snapshots: s.network.pool,
		LogBytes: s.opts.LogBytes, LogEntries: s.opts.LogEntries, IndexDir: s.opts.IndexDir, Indexing: dense.NewPool(0),
		Promoter: s.network.promoter, Disks: s.gauges, Logger: s.logger, Metrics: replica.NewMetrics(s.registry),
	})
	if err != nil {
		return fmt.Errorf("replicas: %w", err)
	}
	s.opened("replicas", s.replicas.Close)
	if err := s.openCensus(); err != nil {
		return err
	}
	s.mover, err = mover.New(mover.Options{
		Self: s.id.PeerID, Metadata: s.raft, Replicas: s.replicas, Feeds: s.network.pool, Logger: s.logger, Metrics: mover.NewMetrics(s.registry),
	})
	if err != nil {
		return fmt.Errorf("mover: %w", err)
	}
	s.opened("mover", s.mover.Close)
	s.routes, err = coordinator.New(coordinator.Options{
		Self: s.id.PeerID, Local: s.replicas, Remote: s.network.pool, LocalStatus: statuses{s.replicas, s.mover}, RemoteStatus: s.network.pool,
		LocalProof: s.replicas, RemoteProof: s.network.pool, Barrier: s.raft.Barrier,
		Metadata: s.raft, Liveness: s.network.monitor, Disks: s.gauges, Logger: s.logger.Named("coordinator"),
	})
	if err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	return nil
}

// diskChanged notes that the disk became full, or ceased to be.
func (s *Server) diskChanged(now disk.Room) {
	e := event.Event{Kind: event.DiskRoom, Severity: event.Info, Peer: uint64(s.id.PeerID)}
	if now.Full {
		e.Kind, e.Severity, e.Text = event.DiskFull, event.Error, now.Refusal("this node").Error()
	} else {
		e.Text = fmt.Sprintf("the disk of this node has room again: %s are free", disk.Size(now.Free))
	}
	s.events.Append(e)
}

// Failed tells of a door or a part that broke while the node ran: the node should end.
func (s *Server) Failed() <-chan error { return s.failed }

func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Close ends the node at once, in the reverse of the order in which it was built: what was acknowledged is on disk.
// Clients and peers see broken connections; see Shutdown.
func (s *Server) Close() error {
	s.draining.Store(true)
	s.cancel()
	err := s.closeDownTo("")
	s.wg.Wait()
	return err
}

// closeDownTo closes what was opened last, back to the part of that name; all if there is none.
func (s *Server) closeDownTo(what string) error {
	var errs []error
	for len(s.closing) > 0 {
		last := s.closing[len(s.closing)-1]
		s.closing = s.closing[:len(s.closing)-1]
		if err := last.close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", last.what, err))
		}
		if last.what == what {
			break
		}
	}
	return errors.Join(errs...)
}
