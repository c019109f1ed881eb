package cluster_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/audit"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// sink is the stream of one call.
type sink[T any] struct {
	grpc.ServerStream
	ctx  context.Context
	sent chan *T
}

func newSink[T any](ctx context.Context) *sink[T] {
	return &sink[T]{ctx: ctx, sent: make(chan *T, 10_000)}
}

func (s *sink[T]) Context() context.Context { return s.ctx }
func (s *sink[T]) Send(m *T) error          { s.sent <- m; return nil }

func (s *sink[T]) all() (all []*T) {
	close(s.sent)
	for m := range s.sent {
		all = append(all, m)
	}
	return all
}

// comparer answers from a script.
type comparer func(ctx context.Context, ref catalog.ShardRef, pace uint64) (audit.Result, error)

func (c comparer) Compare(ctx context.Context, ref catalog.ShardRef, pace uint64) (audit.Result, error) {
	return c(ctx, ref, pace)
}

func serviceWith(t *testing.T, set func(*cluster.Options)) *cluster.Service {
	t.Helper()
	_, f := newService(t)
	o := cluster.Options{Self: 1, Version: "1", Metadata: f, Raft: f, Liveness: f, Statuses: f}
	set(&o)
	s, err := cluster.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerifyComparesShardAfterShard(t *testing.T) {
	log := event.New(0)
	s := serviceWith(t, func(o *cluster.Options) {
		o.Events = log
		o.Comparer = comparer(func(_ context.Context, ref catalog.ShardRef, pace uint64) (audit.Result, error) {
			if pace != 77 {
				t.Errorf("pace %d", pace)
			}
			if ref.Collection == 1 {
				return audit.Result{}, fault.New(fault.NotFound, "gone")
			}
			return audit.Result{Ref: ref, Compared: true, Index: 9, Problem: "p", Copies: []audit.Copy{
				{Peer: 1, Generation: 2, Primary: true, Index: 9, Digest: 3, Points: 4}, {Peer: 2, Damaged: true, Differs: true, Problem: "broken"},
			}}, nil
		})
	})
	out := newSink[clusterpb.VerifyResponse](t.Context())
	if err := s.Verify(&clusterpb.VerifyRequest{BytesPerSecond: 77}, out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range out.all() {
		got = append(got, fmt.Sprintf("%d/%d %s", r.GetDone(), r.GetTotal(), strings.ReplaceAll(r.GetShard().String(), "  ", " ")))
	}
	if len(got) != 3 || got[0] != "0/2 <nil>" || !strings.Contains(got[1], "deleted meanwhile") || !strings.Contains(got[2], `collection:"b"`) ||
		!strings.Contains(got[2], `problem:"broken"`) {
		t.Errorf("%q", got)
	}
	events := log.Read(0, 10).Events
	if len(events) != 1 || events[0].Kind != event.Verified || events[0].Severity != event.Error || events[0].Text != "the replicas of 2 shards were compared: 1 differ, 1 could not be compared" {
		t.Errorf("%+v", events)
	}
	err := s.Verify(&clusterpb.VerifyRequest{Collections: []string{"nope"}}, newSink[clusterpb.VerifyResponse](t.Context()))
	if status.Code(err) != codes.NotFound {
		t.Errorf("unknown collection: %v", err)
	}
	plain, _ := newService(t)
	if err := plain.Verify(&clusterpb.VerifyRequest{}, newSink[clusterpb.VerifyResponse](t.Context())); status.Code(err) != codes.Unimplemented {
		t.Errorf("nothing to compare with: %v", err)
	}
}

func TestOneVerificationAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serviceWith(t, func(o *cluster.Options) {
			o.Comparer = comparer(func(ctx context.Context, _ catalog.ShardRef, _ uint64) (audit.Result, error) {
				<-ctx.Done()
				return audit.Result{}, ctx.Err()
			})
		})
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() { first <- s.Verify(&clusterpb.VerifyRequest{}, newSink[clusterpb.VerifyResponse](ctx)) }()
		synctest.Wait()
		if err := s.Verify(&clusterpb.VerifyRequest{}, newSink[clusterpb.VerifyResponse](ctx)); status.Code(err) != codes.ResourceExhausted {
			t.Errorf("the second: %v", err)
		}
		cancel()
		if err := <-first; status.Code(err) != codes.Canceled {
			t.Errorf("the first: %v", err)
		}
		if err := s.Verify(&clusterpb.VerifyRequest{}, newSink[clusterpb.VerifyResponse](ctx)); status.Code(err) != codes.Canceled {
			t.Errorf("the third: %v", err)
		}
	})
}

func TestEventsAreFollowedWithGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, closing := event.New(4), make(chan struct{})
		say := func(n int) {
			for range n {
				log.Append(event.Event{Kind: event.Election, Severity: event.Info, Shard: 3, HasShard: true, Peer: 2, Text: "x"})
			}
		}
		s := serviceWith(t, func(o *cluster.Options) { o.Events, o.Closing = log, closing })
		count := func(r *clusterpb.WatchEventsRequest) (events int, missed []uint64) {
			out := newSink[clusterpb.WatchEventsResponse](t.Context())
			if err := s.WatchEvents(r, out); err != nil {
				t.Error(err)
			}
			for _, m := range out.all() {
				if m.GetGap() != nil {
					missed = append(missed, m.GetGap().GetMissed())
				} else {
					events++
				}
			}
			return events, missed
		}
		say(1)
		first := log.Read(0, 1).After
		say(8)
		if n, missed := count(&clusterpb.WatchEventsRequest{}); n != 4 || missed != nil {
			t.Errorf("all: %d, %v", n, missed)
		}
		if n, missed := count(&clusterpb.WatchEventsRequest{Last: 2}); n != 2 || missed != nil {
			t.Errorf("two: %d, %v", n, missed)
		}
		if n, missed := count(&clusterpb.WatchEventsRequest{After: first}); n != 4 || fmt.Sprint(missed) != "[4]" {
			t.Errorf("after the first: %d, %v", n, missed)
		}
		if n, missed := count(&clusterpb.WatchEventsRequest{After: 5}); n != 4 || fmt.Sprint(missed) != "[0]" {
			t.Errorf("after another life's: %d, %v", n, missed)
		}
		out, done := newSink[clusterpb.WatchEventsResponse](t.Context()), make(chan error)
		go func() { done <- s.WatchEvents(&clusterpb.WatchEventsRequest{Last: 1, Follow: true}, out) }()
		synctest.Wait()
		say(1)
		synctest.Wait()
		close(closing)
		if err := <-done; status.Code(err) != codes.Unavailable {
			t.Errorf("the end: %v", err)
		}
		all := out.all()
		if e := all[1].GetEvent(); len(all) != 2 || e.GetShardId() != 3 || e.GetPeer() != 2 || e.GetKind() != "election" || e.GetUnixMs() != time.Now().UnixMilli() {
			t.Errorf("%v", all)
		}
	})
}

func TestRefusedWritesAreCountedAndToldSometimes(t *testing.T) {
	log, reg := event.New(0), prometheus.NewRegistry()
	r, err := cluster.NewRefusals(reg, log)
	if err != nil {
		t.Fatal(err)
	}
	call := func(method string, code codes.Code) {
		_, err := r.Unary(t.Context(), &qdrant.UpsertPoints{CollectionName: "docs"}, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) {
			return nil, status.Error(code, "shard 3: needs 2 of 2 replicas, 1 is active")
		})
		if status.Code(err) != code {
			t.Errorf("%s: %v became %v", method, code, err)
		}
	}
	for range 3 {
		call(qdrant.Points_Upsert_FullMethodName, codes.FailedPrecondition)
	}
	call(qdrant.Points_Upsert_FullMethodName, codes.Unavailable)
	call(qdrant.Points_Query_FullMethodName, codes.FailedPrecondition)
	call(qdrant.Points_Upsert_FullMethodName, codes.OK)
	metric(t, reg, "ostraka_cluster_refused_writes_total", `
# HELP ostraka_cluster_refused_writes_total Requests to write that were refused because too few replicas count for the write consistency.
# TYPE ostraka_cluster_refused_writes_total counter
ostraka_cluster_refused_writes_total 3
`)
	events := log.Read(0, 10).Events
	if len(events) != 1 || events[0].Collection != "docs" || !strings.Contains(events[0].Text, "needs 2 of 2") {
		t.Errorf("%+v", events)
	}
}
