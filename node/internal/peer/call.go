package peer

import (
	"context"
	"errors"
	"syscall"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"

	"google.golang.org/grpc"
)

// Pong is a peer's answer to a ping.
type Pong struct {
	ID       catalog.PeerID
	Applied  uint64 // applied index of its metadata
	Draining bool   // it is shutting down
	Gauge    Gauge
}

// Gauge is how large things are on a peer; 0 is not known.
type Gauge struct {
	DiskFree, DiskTotal uint64 // of the file system of its data
	DiskEnough          uint64 // once full, the disk counts as full until so much is free
	DiskFull            bool
	ReplicaBytes        uint64 // of the points of its replicas, approximately
}

// Room returns what is known of the peer's disk.
func (g Gauge) Room() disk.Room {
	return disk.Room{Free: g.DiskFree, Total: g.DiskTotal, Enough: g.DiskEnough, Full: g.DiskFull}
}

type method[Req, Resp any] func(peerpb.PeerClient, context.Context, *Req, ...grpc.CallOption) (*Resp, error)

// call sends one request to a peer of the catalog and classes the error.
func call[Req, Resp any](ctx context.Context, p *Pool, to catalog.PeerID, m method[Req, Resp], req *Req, opts ...grpc.CallOption) (*Resp, error) {
	c, err := p.conn(to)
	if err != nil {
		return nil, err
	}
	return callConn(ctx, c, m, req, opts...)
}

func callConn[Req, Resp any](ctx context.Context, c *conn, m method[Req, Resp], req *Req, opts ...grpc.CallOption) (*Resp, error) {
	var a attempt
	resp, err := m(c.PeerClient, ctx, req, append(opts, a.option())...)
	return resp, a.fault(ctx, err)
}

// Ping asks a peer whether it lives. It does not wait for a connection that cannot be made.
func (p *Pool) Ping(ctx context.Context, to catalog.PeerID) (Pong, error) {
	resp, err := call(ctx, p, to, peerpb.PeerClient.Ping, &peerpb.PingRequest{From: uint64(p.opts.Self)})
	p.heed(err)
	gauge := Gauge{
		DiskFree: resp.GetDiskFreeBytes(), DiskTotal: resp.GetDiskTotalBytes(), DiskEnough: resp.GetDiskEnoughBytes(), DiskFull: resp.GetDiskFull(),
		ReplicaBytes: resp.GetReplicaBytes(),
	}
	return Pong{ID: catalog.PeerID(resp.GetId()), Applied: resp.GetAppliedIndex(), Draining: resp.GetDraining(), Gauge: gauge}, err
}

// heed notes whether an answer says that this node was removed for good.
func (p *Pool) heed(err error) {
	if fault.Hint(err, hintExpelled) != "" && p.opts.Expelled != nil {
		p.opts.Expelled()
	}
}

// Greet pings who is at an address, of whom the catalog need not know yet.
func (p *Pool) Greet(ctx context.Context, addr string) error {
	c, done, err := p.connAddr(addr)
	if err != nil {
		return err
	}
	defer done()
	_, err = callConn(ctx, c, peerpb.PeerClient.Ping, &peerpb.PingRequest{From: uint64(p.opts.Self)})
	p.heed(err)
	return err
}

// Refuses reports whether the peer's machine refuses a connection to its address: no process listens there.
func (p *Pool) Refuses(ctx context.Context, to catalog.PeerID) bool {
	state, _ := p.opts.Metadata.Watch()
	peer, ok := state.Peers[to]
	if !ok {
		return false
	}
	conn, err := p.opts.Dial(ctx, peer.PeerAddr)
	if err == nil {
		_ = conn.Close() // somebody is there
		return false
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// Fence asks a peer's replicas for their promises (R5), many at once; answers are in order.
func (p *Pool) Fence(ctx context.Context, to catalog.PeerID, fences []Fence) ([]FenceAnswer, error) {
	resp, err := call(ctx, p, to, peerpb.PeerClient.Fence, fencesToWire(fences))
	if err != nil {
		return nil, err
	}
	return answersFromWire(resp, len(fences))
}

// Write sends an operation (point.EncodeOp) to the shard's primary, with the term that the sender knows.
func (p *Pool) Write(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (index uint64, completed bool, err error) {
	req := &peerpb.WriteRequest{Shard: refToWire(ref), Term: term, Epoch: epoch, Op: op, Wait: wait}
	resp, err := call(ctx, p, to, peerpb.PeerClient.Write, req)
	return resp.GetIndex(), resp.GetCompleted(), err
}

// Search asks a replica; the results are one list per request, best first.
func (p *Pool) Search(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, reqs []shard.SearchRequest) ([][]shard.Scored, uint64, error) {
	resp, err := call(ctx, p, to, peerpb.PeerClient.Search, searchToWire(ref, minIndex, reqs))
	if err != nil {
		return nil, 0, err
	}
	if len(resp.GetResults()) != len(reqs) {
		return nil, 0, fault.New(fault.Internal, "peer %d answered %d of %d queries", to, len(resp.GetResults()), len(reqs))
	}
	results, err := hitsFromWire(resp)
	return results, resp.GetApplied(), err
}

// Scroll asks a replica for points in the order of their ids.
func (p *Pool) Scroll(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, req shard.ScrollRequest) ([]point.Record, uint64, error) {
	resp, err := call(ctx, p, to, peerpb.PeerClient.Scroll, scrollToWire(ref, minIndex, req))
	if err != nil {
		return nil, 0, err
	}
	records, err := recordsFromWire(resp)
	return records, resp.GetApplied(), err
}

// Get asks a replica for points by id.
func (p *Pool) Get(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, req shard.GetRequest) ([]point.Record, uint64, error) {
	resp, err := call(ctx, p, to, peerpb.PeerClient.Get, getToWire(ref, minIndex, req))
	if err != nil {
		return nil, 0, err
	}
	records, err := recordsFromWire(resp)
	return records, resp.GetApplied(), err
}

// Count asks a replica how many points match.
func (p *Pool) Count(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, req shard.CountRequest) (count, applied uint64, err error) {
	resp, err := call(ctx, p, to, peerpb.PeerClient.Count, &peerpb.CountRequest{
		Shard: refToWire(ref), MinIndex: minIndex, Filter: filter.Encode(req.Filter), Epoch: req.Epoch, Fresh: req.Fresh,
	})
	return resp.GetCount(), resp.GetApplied(), err
}

// Facet asks a replica how many points have each of the values at a path.
func (p *Pool) Facet(ctx context.Context, to catalog.PeerID, ref catalog.ShardRef, minIndex uint64, req shard.FacetRequest) ([]payload.Facet, uint64, error) {
	w := &peerpb.FacetRequest{Shard: refToWire(ref), MinIndex: minIndex, Path: req.Path, Filter: filter.Encode(req.Filter), Exact: req.Exact, Epoch: req.Epoch, Fresh: req.Fresh, Sparse: req.Sparse, Indices: req.Indices}
	resp, err := call(ctx, p, to, peerpb.PeerClient.Facet, w)
	if err != nil {
		return nil, 0, err
	}
	facets, err := facetsFromWire(resp)
	return facets, resp.GetApplied(), err
}

// Status asks a peer about its replicas of refs, of all shards when refs is empty.
func (p *Pool) Status(ctx context.Context, to catalog.PeerID, refs []catalog.ShardRef) ([]replica.Status, error) {
	resp, err := call(ctx, p, to, peerpb.PeerClient.Status, &peerpb.StatusRequest{Shards: refsToWire(refs)})
	if err != nil {
		return nil, err
	}
	statuses := make([]replica.Status, len(resp.GetReplicas()))
	for i, w := range resp.GetReplicas() {
		if statuses[i], err = statusFromWire(w); err != nil {
			return nil, err
		}
	}
	return statuses, nil
}

// Propose sends encoded metadata changes to the Raft leader at its peer address: consensus' Forwarder.
func (p *Pool) Propose(ctx context.Context, leaderAddr string, commands []byte) (index uint64, results []catalog.Result, err error) {
	c, done, err := p.connAddr(leaderAddr)
	if err != nil {
		return 0, nil, err
	}
	defer done()
	resp, err := callConn(ctx, c, peerpb.PeerClient.Propose, &peerpb.ProposeRequest{Commands: commands})
	if err != nil {
		return 0, nil, err
	}
	return resp.GetIndex(), resultsFromWire(resp.GetResults()), nil
}

// forwardJoin passes a join request on to the Raft leader at its peer address.
func (p *Pool) forwardJoin(ctx context.Context, leaderAddr string, info catalog.Peer) (JoinAnswer, error) {
	c, done, err := p.connAddr(leaderAddr)
	if err != nil {
		return JoinAnswer{}, err
	}
	defer done()
	return joinBy(ctx, c, info, true)
}

// connAddr returns the connection to the peer at addr; a leader whom the catalog does not know there yet gets one for
// a single call.
func (p *Pool) connAddr(addr string) (*conn, func(), error) {
	state, _ := p.opts.Metadata.Watch()
	for id, peer := range state.Peers {
		if peer.PeerAddr == addr && !peer.Gone() {
			c, err := p.conn(id)
			return c, func() {}, err
		}
	}
	c, err := dial(addr, p.opts.Dial, p.opts.Membership)
	if err != nil {
		return nil, nil, err
	}
	return c, func() { _ = c.cc.Close() }, nil
}
