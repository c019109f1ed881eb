package peer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcmd "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// pair runs f in a bubble with two members of cluster "c".
func pair(t *testing.T, f func(t *testing.T, n *network, a, b *node)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		meta := newMetadata("c", info(1), info(2))
		a, b := newNode(info(1), "c", meta).start(t, n), newNode(info(2), "c", meta).start(t, n)
		defer func() { a.stop(); b.stop() }()
		f(t, n, a, b)
	})
}

var ref = catalog.ShardRef{Collection: 5, Shard: 3}

func TestDataCallsReachTheReplicasAndReturnTheirAnswers(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		ctx := context.Background()
		record := point.Record{Point: point.Point{ID: point.Num(7), Vectors: point.Vectors{"": {1, 2}}, Payload: point.Payload{"a": int64(1)}}, Version: 9}
		b.replicas.records = []point.Record{record}
		b.replicas.scored = [][]shard.Scored{{{Record: record, Score: 0.5, Rank: -9}}}
		b.replicas.status = []replica.Status{{Ref: ref, Generation: 4, Points: 6}}

		reqs := []shard.SearchRequest{{Vector: []float32{1, 2}, Limit: 3}}
		scored, applied, err := a.pool.Search(ctx, 2, ref, 8, reqs)
		if err != nil || applied != 11 || !reflect.DeepEqual(scored, b.replicas.scored) || b.replicas.mu.minimum != 8 {
			t.Errorf("Search: %+v, %d, %v", scored, applied, err)
		}
		records, applied, err := a.pool.Scroll(ctx, 2, ref, 8, shard.ScrollRequest{Limit: 5})
		if err != nil || applied != 12 || !reflect.DeepEqual(records, b.replicas.records) || b.replicas.mu.scroll.Limit != 5 {
			t.Errorf("Scroll: %+v, %d, %v", records, applied, err)
		}
		records, applied, err = a.pool.Get(ctx, 2, ref, 8, shard.GetRequest{IDs: []point.ID{point.Num(7)}})
		if err != nil || applied != 13 || !reflect.DeepEqual(records, b.replicas.records) || len(b.replicas.mu.get.IDs) != 1 {
			t.Errorf("Get: %+v, %d, %v", records, applied, err)
		}
		count, applied, err := a.pool.Count(ctx, 2, ref, 8, shard.CountRequest{Look: shard.Look{Epoch: 3, Fresh: true}, Filter: &filter.Filter{Must: []filter.Condition{{HasID: &filter.HasID{IDs: []point.ID{point.Num(1)}}}}}})
		if err != nil || applied != 14 || count != 42 || b.replicas.mu.filter == nil || b.replicas.mu.look != (shard.Look{Epoch: 3, Fresh: true}) {
			t.Errorf("Count: %d, %d, %v", count, applied, err)
		}
		facets, applied, err := a.pool.Facet(ctx, 2, ref, 8, shard.FacetRequest{Path: "a", Filter: &filter.Filter{}, Exact: true})
		want := []payload.Facet{{Value: "x", Count: 3}, {Value: int64(-1), Count: 2}, {Value: true, Count: 1}}
		if err != nil || applied != 15 || !slices.Equal(facets, want) || b.replicas.mu.facet.Path != "a" || !b.replicas.mu.facet.Exact || b.replicas.mu.facet.Filter == nil {
			t.Errorf("Facet: %v, %d, %v", facets, applied, err)
		}
		words := "words"
		_, _, err = a.pool.Facet(ctx, 2, ref, 8, shard.FacetRequest{Sparse: &words, Indices: []uint32{1, 9}})
		if got := b.replicas.mu.facet; err != nil || got.Sparse == nil || *got.Sparse != words || !slices.Equal(got.Indices, []uint32{1, 9}) {
			t.Errorf("Facet of indices: %+v, %v", got, err)
		}
		statuses, err := a.pool.Status(ctx, 2, nil)
		if err != nil || !reflect.DeepEqual(statuses, b.replicas.status) {
			t.Errorf("Status: %+v, %v", statuses, err)
		}
		pong, err := a.pool.Ping(ctx, 2)
		if err != nil || pong != (peer.Pong{ID: 2, Applied: 77}) {
			t.Errorf("Ping: %+v, %v", pong, err)
		}
	})
}

func TestErrorsKeepClassAndHintsAcrossTheHop(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		for class := fault.Internal; class <= fault.Canceled; class++ {
			want := fault.New(class, "why").With("primary", "7")
			b.replicas.write = func(context.Context, catalog.ShardRef, uint64, uint64, []byte, bool) (uint64, bool, error) {
				return 0, false, fmt.Errorf("write shard: %w", want)
			}
			_, _, err := a.pool.Write(context.Background(), 2, ref, 1, 4, nil, true)
			if !fault.Is(err, class) || fault.Hint(err, "primary") != "7" {
				t.Errorf("%v arrived as %v: %v", class, fault.ClassOf(err), err)
			}
			if fault.Hint(err, fault.HintOutcome) != "" {
				t.Errorf("%v: the primary's own answer got the hint that nobody knows", class)
			}
		}
	})
}

func TestWriteCarriesWhatItWasGiven(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		b.replicas.write = func(ctx context.Context, r catalog.ShardRef, term, epoch uint64, op []byte, wait bool) (uint64, bool, error) {
			if r != ref || term != 6 || epoch != 4 || string(op) != "op" || !wait {
				t.Errorf("got %v %d %q %v", r, term, op, wait)
			}
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); !ok || left != 900*time.Millisecond {
				t.Errorf("the primary has %v: it must end before the caller does, to say why", left)
			}
			return 12, true, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		index, completed, err := a.pool.Write(ctx, 2, ref, 6, 4, []byte("op"), true)
		if err != nil || index != 12 || !completed {
			t.Errorf("got %d %v %v", index, completed, err)
		}
	})
}

func TestOnlyCallsThatMayHaveArrivedHaveAnUnknownOutcome(t *testing.T) {
	pair(t, func(t *testing.T, n *network, a, b *node) {
		write := func(timeout time.Duration) error {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			_, _, err := a.pool.Write(ctx, 2, ref, 6, 4, []byte("op"), true)
			return err
		}
		unknown := func(err error) bool { return fault.Hint(err, fault.HintOutcome) == fault.OutcomeUnknown }

		n.setCut(b.peer.PeerAddr, true)
		if err := write(time.Minute); !fault.Is(err, fault.Unavailable) || unknown(err) {
			t.Errorf("never connected: %v (unknown: %v)", err, unknown(err))
		}
		n.setCut(b.peer.PeerAddr, false)
		pass(2 * time.Second) // the connection's backoff

		hang := func(ctx context.Context, _ catalog.ShardRef, _, _ uint64, _ []byte, _ bool) (uint64, bool, error) {
			<-ctx.Done()
			pass(time.Minute) // it does not even answer in time
			return 0, false, ctx.Err()
		}
		b.replicas.write = hang
		if err := write(time.Second); !fault.Is(err, fault.Timeout) || !unknown(err) {
			t.Errorf("no answer in time: %v (unknown: %v)", err, unknown(err))
		}
		go func() {
			pass(time.Second)
			a.pool.Reset(2)
		}()
		if err := write(time.Minute); !fault.Is(err, fault.Unavailable) || !unknown(err) {
			t.Errorf("connection closed under the call: %v (unknown: %v)", err, unknown(err))
		}
		pass(10 * time.Minute) // the handlers end

		if _, _, err := a.pool.Write(context.Background(), 8, ref, 6, 4, nil, true); !fault.Is(err, fault.Unavailable) || unknown(err) {
			t.Errorf("no such peer: %v", err)
		}
	})
}

func TestFencesAreAnsweredInOrder(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		fences := []peer.Fence{
			{Ref: catalog.ShardRef{Shard: 1}, Term: 5}, {Ref: catalog.ShardRef{Shard: 9}, Term: 6}, {Ref: catalog.ShardRef{Shard: 2}, Term: 7, Yield: true},
		}
		got, err := a.pool.Fence(context.Background(), 2, fences)
		want := []peer.FenceAnswer{
			{Answered: true, Promised: 5, LastTerm: 4, LastIndex: 1}, {},
			{Answered: true, Promised: 7, LastTerm: 6, LastIndex: 102},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestAReplicaThatDoesNotAnswerAFenceCostsNoOtherAnswer(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, _ *node) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		fences := []peer.Fence{{Ref: catalog.ShardRef{Shard: 10}, Term: 5}}
		for range 200 {
			fences = append(fences, peer.Fence{Ref: catalog.ShardRef{Shard: 10}, Term: 5})
		}
		fences = append(fences, peer.Fence{Ref: catalog.ShardRef{Shard: 1}, Term: 5})
		got, err := a.pool.Fence(ctx, 2, fences)
		if err != nil || len(got) != len(fences) {
			t.Fatalf("%d answers, %v", len(got), err)
		}
		if last := got[len(got)-1]; !last.Answered || last.Promised != 5 || got[0].Answered {
			t.Errorf("got %+v ... %+v", got[0], last)
		}
	})
}

func TestProposeIsForwardedWithResults(t *testing.T) {
	pair(t, func(t *testing.T, _ *network, a, b *node) {
		b.proposer.index = 31
		b.proposer.results = []catalog.Result{{Err: fault.New(fault.Exists, "there already")}}
		name := "x"
		commands := catalog.EncodeCommands([]catalog.Command{{DeleteCollection: &name}})
		index, results, err := a.pool.Propose(context.Background(), b.peer.PeerAddr, commands)
		if err != nil || index != 31 || len(results) != 1 || !fault.Is(results[0].Err, fault.Exists) {
			t.Errorf("got %d %+v %v", index, results, err)
		}
		if len(b.proposer.got) != 1 || *b.proposer.got[0].DeleteCollection != "x" {
			t.Errorf("the leader got %+v", b.proposer.got)
		}
		b.proposer.err = fault.New(fault.NotPrimary, "not the leader")
		if _, _, err := a.pool.Propose(context.Background(), b.peer.PeerAddr, commands); !fault.Is(err, fault.NotPrimary) {
			t.Errorf("got %v", err)
		}
		if _, _, err := a.pool.Propose(context.Background(), b.peer.PeerAddr, []byte("junk")); !fault.Is(err, fault.Invalid) {
			t.Errorf("junk: %v", err)
		}
		// A leader whom the catalog does not know at that address yet.
		a.meta.set("c", info(1))
		synctest.Wait()
		b.proposer.err = nil
		if _, _, err := a.pool.Propose(context.Background(), b.peer.PeerAddr, commands); err != nil {
			t.Errorf("unknown leader: %v", err)
		}
	})
}

func TestNodesOfOtherClustersAreRefusedButMaySayHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := newNode(info(2), "c", newMetadata("c", info(2))).start(t, n)
		stranger := newNode(info(1), "other", newMetadata("other", info(1), info(2))).start(t, n)
		young := newNode(info(3), "", newMetadata("", info(3), info(2))).start(t, n)
		defer func() { b.stop(); stranger.stop(); young.stop() }()
		for _, from := range []*node{stranger, young} {
			if _, err := from.pool.Ping(context.Background(), 2); !fault.Is(err, fault.FailedPrecondition) {
				t.Errorf("%s: %v", from.peer.Name, err)
			}
			intro, err := peer.Hello(context.Background(), n.dial, from.membership, b.peer.PeerAddr)
			if err != nil || !intro.Peer.Says(b.peer) || intro.ClusterID != "c" {
				t.Errorf("%s: %+v, %v", from.peer.Name, intro, err)
			}
		}
		b.meta.set("c", info(2), info(3))
		if _, err := b.pool.Ping(context.Background(), 3); !fault.Is(err, fault.Unavailable) {
			t.Errorf("a node that is no member yet: %v", err)
		}
	})
}

func TestPoolFollowsAddressesAndLearnsTheClusterId(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		a := newNode(info(1), "", newMetadata("", info(1))).start(t, n)
		b := newNode(info(2), "c", newMetadata("c", info(2))).start(t, n)
		moved := info(2)
		moved.PeerAddr = "elsewhere:1"
		b2 := newNode(moved, "c", newMetadata("c", info(2))).start(t, n)
		defer func() { a.stop(); b.stop(); b2.stop() }()

		a.meta.set("c", info(1), info(2)) // founded here
		synctest.Wait()
		if a.membership.ID() != "c" {
			t.Fatalf("cluster %q", a.membership.ID())
		}
		_, err := a.pool.Ping(context.Background(), 2)
		check(t, err)
		b.server.Stop()
		a.meta.set("c", info(1), moved)
		_, err = a.pool.Ping(context.Background(), 2)
		check(t, err)
		a.meta.set("c", info(1))
		if _, err := a.pool.Ping(context.Background(), 2); !fault.Is(err, fault.Unavailable) {
			t.Errorf("a peer that left: %v", err)
		}
	})
}

// Foreign bytes over a real connection: requests without any field.
func TestEmptyRequestsAreRefusedNotFatal(t *testing.T) {
	pair(t, func(t *testing.T, n *network, a, b *node) {
		b.replicas.write = func(context.Context, catalog.ShardRef, uint64, uint64, []byte, bool) (uint64, bool, error) {
			return 0, false, errors.New("reached")
		}
		cc, err := grpc.NewClient("passthrough:///"+b.peer.PeerAddr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(n.dial))
		check(t, err)
		defer cc.Close()
		c := peerpb.NewPeerClient(cc)
		ctx := grpcmd.AppendToOutgoingContext(context.Background(), "ostraka-cluster", "c")
		for name, call := range map[string]func() error{
			"write":   func() error { _, err := c.Write(ctx, &peerpb.WriteRequest{}); return err },
			"search":  func() error { _, err := c.Search(ctx, &peerpb.SearchRequest{}); return err },
			"scroll":  func() error { _, err := c.Scroll(ctx, &peerpb.ScrollRequest{}); return err },
			"get":     func() error { _, err := c.Get(ctx, &peerpb.GetRequest{}); return err },
			"confirm": func() error { _, err := c.Confirm(ctx, &peerpb.ConfirmRequest{}); return err },
			"count":   func() error { _, err := c.Count(ctx, &peerpb.CountRequest{}); return err },
			"ping":    func() error { _, err := c.Ping(ctx, &peerpb.PingRequest{Standing: 77}); return err },
			"join":    func() error { _, err := c.Join(ctx, &peerpb.JoinRequest{}); return err },
			"fence": func() error {
				_, err := c.Fence(ctx, &peerpb.FenceRequest{Shards: []*peerpb.FenceShard{{}}})
				return err
			},
			"promote": func() error {
				_, err := c.WantPromotion(ctx, &peerpb.WantPromotionRequest{Shards: []*peerpb.WantShard{{}}})
				return err
			},
			"replicate": func() error {
				s, err := c.Replicate(ctx)
				check(t, err)
				check(t, s.Send(&peerpb.ReplicateRequest{Messages: []*peerpb.ShardMessage{{}}}))
				_, err = s.CloseAndRecv()
				return err
			},
		} {
			if err := call(); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
