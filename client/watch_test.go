package client_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

func (clusterServer) Verify(r *clusterpb.VerifyRequest, s grpc.ServerStreamingServer[clusterpb.VerifyResponse]) error {
	for _, name := range r.GetCollections() {
		switch name {
		case "busy":
			return status.Error(codes.Unavailable, "try another")
		case "breaks":
			_ = s.Send(&clusterpb.VerifyResponse{Total: 2})
			return status.Error(codes.Unavailable, "in the middle")
		}
	}
	for _, reply := range []*clusterpb.VerifyResponse{
		{Total: 2},
		{Done: 1, Total: 2, Shard: &clusterpb.ShardVerdict{Collection: "docs", ShardId: 3, Compared: true, Equal: true, Index: 9}},
		{Done: 2, Total: 2, Shard: &clusterpb.ShardVerdict{Collection: "docs", ShardId: 4, Compared: true, Index: 10, Problem: "they differ", Replicas: []*clusterpb.ReplicaDigest{
			{Peer: 1, Generation: 2, Primary: true, Index: 10, Digest: 1 << 63, Points: 5}, {Peer: 2, Differs: true, Problem: "damaged"},
		}}},
	} {
		if err := s.Send(reply); err != nil {
			return err
		}
	}
	return nil
}

func (clusterServer) WatchEvents(r *clusterpb.WatchEventsRequest, s grpc.ServerStreamingServer[clusterpb.WatchEventsResponse]) error {
	shard := r.GetLast()
	_ = s.Send(&clusterpb.WatchEventsResponse{Gap: &clusterpb.Gap{Missed: r.GetAfter()}})
	_ = s.Send(&clusterpb.WatchEventsResponse{Event: &clusterpb.Event{Cursor: 7, UnixMs: 1000, Kind: "promotion", Severity: "info", Collection: "docs", ShardId: &shard, Peer: 2, Text: "x"}})
	if r.GetFollow() {
		<-s.Context().Done()
		return s.Context().Err()
	}
	return nil
}

func TestVerifyTellsShardAfterShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		var seen []string
		var last *client.ShardVerdict
		err := c.Verify(t.Context(), client.VerifyOptions{}, func(done, total uint32, v *client.ShardVerdict) error {
			seen = append(seen, fmt.Sprintf("%d/%d %v", done, total, v != nil && v.Differs()))
			last = v
			return nil
		})
		want := &client.ShardVerdict{Collection: "docs", Shard: 4, Compared: true, Index: 10, Problem: "they differ", Replicas: []client.ReplicaDigest{
			{Peer: 1, Generation: 2, Primary: true, Index: 10, Digest: 1 << 63, Points: 5}, {Peer: 2, Differs: true, Problem: "damaged"},
		}}
		if err != nil || fmt.Sprint(seen) != "[0/2 false 1/2 false 2/2 true]" || !reflect.DeepEqual(last, want) {
			t.Errorf("%v, %v, %+v", err, seen, last)
		}
		own := errors.New("enough")
		if err := c.Verify(t.Context(), client.VerifyOptions{}, func(uint32, uint32, *client.ShardVerdict) error { return own }); !errors.Is(err, own) || client.ClassOf(err) != client.ClassInternal {
			t.Errorf("the caller's own error came back as %v", err)
		}
	})
}

func TestAStreamMovesOnOnlyBeforeItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("b:1")
		c := n.client(client.Config{}, "a:1", "b:1") // there is no a
		calls := 0
		count := func(uint32, uint32, *client.ShardVerdict) error { calls++; return nil }
		if err := c.Verify(t.Context(), client.VerifyOptions{}, count); err != nil || calls != 3 {
			t.Errorf("the second endpoint: %v, %d calls", err, calls)
		}
		calls = 0
		err := c.Verify(t.Context(), client.VerifyOptions{Collections: []string{"breaks"}}, count)
		if !client.IsUnavailable(err) || calls != 1 {
			t.Errorf("broken in the middle: %v, %d calls", err, calls)
		}
		calls = 0
		err = c.Verify(t.Context(), client.VerifyOptions{Collections: []string{"busy"}}, count)
		var failed *client.Error
		if !errors.As(err, &failed) || failed.Class != client.ClassUnavailable || failed.Endpoint == "" || calls != 0 {
			t.Errorf("nobody can: %v, %d calls", err, calls)
		}
	})
}

func TestEventsFollowUntilTheCallerHasEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("a:1")
		c := n.client(client.Config{Timeout: time.Second}, "a:1")
		shard := uint32(5)
		want := client.Event{Cursor: 7, Time: time.UnixMilli(1000), Kind: "promotion", Severity: "info", Collection: "docs", Shard: &shard, Peer: 2, Text: "x"}
		var got client.Event
		var missed uint64
		each := func(e *client.Event, gap *client.Gap) error {
			if gap != nil {
				missed = gap.Missed
			} else {
				got = *e
			}
			return nil
		}
		if err := c.Events(t.Context(), client.EventOptions{After: 3, Last: 5}, each); err != nil || missed != 3 || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, missed %d, %+v", err, missed, got)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		err := c.Events(ctx, client.EventOptions{Follow: true}, each)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 15*time.Second {
			t.Errorf("%v after %v: the timeout of an attempt does not end what is followed", err, time.Since(began))
		}
	})
}
