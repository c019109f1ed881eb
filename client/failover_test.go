package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

const (
	create = "qdrant.Collections/Create"
	list   = "qdrant.Collections/List"
	upsert = "qdrant.Points/Upsert"
	remove = "qdrant.Points/Delete"
	probe  = "grpc.health.v1.Health/Check"
)

func TestNewUsesNoNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.client(client.Config{}, "a:1", "b:1")
		elapse(time.Minute) // virtual: a connection made in the background would show
		if n.dials("a:1")+n.dials("b:1") != 0 {
			t.Error("New or an idle client made a connection")
		}
	})
}

func TestCallsMoveToTheNextEndpointAndStayThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.node("a:1"), n.node("b:1")
		c := n.client(client.Config{}, "a:1", "b:1")
		mustList(t, c)
		if len(a.requests(list)) != 1 || len(b.requests(list)) != 0 {
			t.Fatal("the first endpoint is not the preferred one")
		}
		n.setCut("a:1", "refuse")
		for range 3 {
			mustList(t, c)
		}
		if got := len(b.requests(list)); got != 3 {
			t.Fatalf("second endpoint saw %d calls, want 3", got)
		}
		n.setCut("a:1", "")
		elapse(time.Minute)
		if len(a.requests(probe)) == 0 {
			t.Error("the endpoint that failed was not probed")
		}
		mustList(t, c)
		if got := len(b.requests(list)); got != 4 {
			t.Error("the client left an endpoint that works")
		}
		n.setCut("b:1", "refuse")
		mustList(t, c)
		if got := len(a.requests(list)); got != 2 {
			t.Errorf("first endpoint saw %d calls after its return, want 2", got)
		}
	})
}

func TestAnEndpointThatFailedIsAvoidedUntilItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b, d := n.node("a:1"), n.node("b:1"), n.node("d:1")
		c := n.client(client.Config{}, "a:1", "b:1", "d:1")
		a.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		a.on(list, always(status.Error(codes.Unavailable, "going away")))
		mustList(t, c)
		b.on(list, always(status.Error(codes.Unavailable, "going away")))
		b.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		mustList(t, c)
		elapse(time.Minute)
		mustList(t, c)
		if got := [3]int{len(a.requests(list)), len(b.requests(list)), len(d.requests(list))}; got != [3]int{1, 2, 2} {
			t.Errorf("calls per endpoint %v, want [1 2 2]", got)
		}
		if first, last := len(a.requests(probe)), len(a.requests(probe)); first < 10 || last > 40 {
			t.Errorf("%d probes in a minute, want them rarer with time but no rarer than every 5 s", first)
		}
	})
}

func TestAllEndpointsAvoidedAreTriedAnyway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		a.on(list, func(_ context.Context, nth int) error {
			if nth <= 2 {
				return status.Error(codes.Unavailable, "not yet")
			}
			return nil
		})
		a.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		c := n.client(client.Config{}, "a:1")
		mustList(t, c)
		if got := len(a.requests(list)); got != 3 {
			t.Errorf("%d attempts, want 3", got)
		}
	})
}

func TestProbeOfAPlainQdrantAsksItsOwnHealthCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1", plain)
		n.node("b:1", plain)
		c := n.client(client.Config{}, "a:1", "b:1")
		a.on(list, func(_ context.Context, nth int) error {
			if nth == 1 {
				return status.Error(codes.Unavailable, "")
			}
			return nil
		})
		mustList(t, c)
		elapse(time.Second)
		if len(a.requests("qdrant.Qdrant/HealthCheck")) != 1 {
			t.Error("want one health check of the plain Qdrant, which passes")
		}
	})
}

// attempts runs one call against two nodes that both fail it in the same way, and counts what reached them.
func attempts(t *testing.T, kind string, fail func(context.Context, int) error) (int, error) {
	t.Helper()
	n := newNetwork(t)
	a, b := n.node("a:1"), n.node("b:1")
	c := n.client(client.Config{Timeout: time.Second, MaxAttempts: 3}, "a:1", "b:1")
	method := map[string]string{"read": list, "idempotent": upsert, "once": remove, "ddl": create}[kind]
	a.on(method, fail)
	b.on(method, fail)
	err := map[string]func() error{
		"read": func() error { _, err := c.ListCollections(t.Context()); return err },
		"idempotent": func() error {
			_, err := c.Upsert(t.Context(), "docs", []client.Point{{ID: client.Num(1)}}, client.WriteOptions{})
			return err
		},
		"once": func() error {
			_, err := c.DeletePoints(t.Context(), "docs", client.Selector{Filter: &client.Filter{}}, client.WriteOptions{})
			return err
		},
		"ddl": func() error {
			return c.CreateCollection(t.Context(), client.CollectionSpec{Name: "docs"})
		},
	}[kind]()
	return len(a.requests(method)) + len(b.requests(method)), err
}

func TestRepeatsOnlyWhatIsSafe(t *testing.T) {
	type want map[string]int // kind -> attempts
	all := want{"read": 3, "idempotent": 3, "once": 3, "ddl": 3}
	safe := want{"read": 3, "idempotent": 3, "once": 1, "ddl": 1}
	none := want{"read": 1, "idempotent": 1, "once": 1, "ddl": 1}
	for _, c := range []struct {
		name string
		fail func(context.Context, int) error
		want want
	}{
		{"not primary", always(faultOf(client.ClassNotPrimary, nil)), all},
		{"stale epoch", always(faultOf(client.ClassStaleEpoch, nil)), all},
		{"exhausted", always(faultOf(client.ClassExhausted, nil)), all},
		{"conflict", always(faultOf(client.ClassConflict, nil)), want{"read": 1, "idempotent": 1, "once": 1, "ddl": 3}},
		{"unavailable from a node", always(faultOf(client.ClassUnavailable, nil)), all},
		{"unavailable from a node that does not know", always(faultOf(client.ClassUnavailable, map[string]string{"outcome": "unknown"})), safe},
		{"unavailable from anybody", always(status.Error(codes.Unavailable, "")), safe},
		{"exhausted, and a part is done", always(faultOf(client.ClassExhausted, map[string]string{"outcome": "unknown"})), safe},
		{"stale epoch, and a part is done", always(faultOf(client.ClassStaleEpoch, map[string]string{"outcome": "unknown"})), safe},
		{"timeout from a node", always(faultOf(client.ClassTimeout, nil)), safe},
		{"no answer", hang, safe},
		{"invalid", always(faultOf(client.ClassInvalid, nil)), none},
		{"not found", always(status.Error(codes.NotFound, "")), none},
		{"failed precondition", always(faultOf(client.ClassFailedPrecondition, nil)), none},
		{"denied", always(faultOf(client.ClassDenied, nil)), none},
		{"message over gRPC's limit", always(status.Error(codes.ResourceExhausted, "")), none},
		{"internal", always(status.Error(codes.Internal, "")), none},
	} {
		for kind, want := range c.want {
			t.Run(fmt.Sprintf("%s/%s", c.name, kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					got, err := attempts(t, kind, c.fail)
					if got != want {
						t.Errorf("%d attempts, want %d (%v)", got, want, err)
					}
					if err == nil {
						t.Error("want an error")
					}
				})
			})
		}
	}
}

func TestARefusalOfAWriteOfWhichAPartIsDoneSaysSo(t *testing.T) {
	for _, class := range []client.Class{client.ClassExhausted, client.ClassFailedPrecondition, client.ClassNotFound} {
		for hint, want := range map[string]bool{"": false, "unknown": true} {
			synctest.Test(t, func(t *testing.T) {
				_, err := attempts(t, "once", always(faultOf(class, map[string]string{"outcome": hint})))
				if client.OutcomeUnknown(err) != want || client.ClassOf(err) != class {
					t.Errorf("%s, outcome %q: %v", class, hint, err)
				}
			})
		}
	}
}

func TestWaitsAsLongAsTheServerAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		limited := func(seconds string) func(context.Context, int) error {
			first := true
			return func(ctx context.Context, _ int) error {
				if !first {
					return nil
				}
				first = false
				if err := grpc.SetTrailer(ctx, metadata.Pairs("retry-after", seconds)); err != nil {
					return err
				}
				return status.Error(codes.ResourceExhausted, "slow down")
			}
		}
		a.on(list, limited("7"))
		start := time.Now()
		mustList(t, c)
		if d := time.Since(start); d < 7*time.Second || d > 8*time.Second {
			t.Errorf("came back after %s, want 7s", d)
		}
		a.on(list, limited("3600"))
		if _, err := c.ListCollections(t.Context()); client.ClassOf(err) != client.ClassExhausted {
			t.Errorf("an hour is longer than anybody waits: %v", err)
		}
	})
}

func TestSaysWhenAWriteMayHaveBeenApplied(t *testing.T) {
	for _, c := range []struct {
		name string
		kind string
		fail func(context.Context, int) error
		want bool
	}{
		{"hung write", "once", hang, true},
		{"broken write", "idempotent", always(status.Error(codes.Unavailable, "")), true},
		{"create without answer", "ddl", hang, true},
		{"refused write", "once", always(faultOf(client.ClassNotPrimary, nil)), false},
		{"wrong write", "once", always(faultOf(client.ClassInvalid, nil)), false},
		{"hung read", "read", hang, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := attempts(t, c.kind, c.fail)
				if got := client.OutcomeUnknown(err); got != c.want {
					t.Errorf("OutcomeUnknown = %v, want %v (%v)", got, c.want, err)
				}
			})
		})
	}
}

func TestAnEarlierUnknownOutcomeIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		a.on(upsert, always(status.Error(codes.Unavailable, "after the write")))
		c := n.client(client.Config{MaxAttempts: 2}, "a:1", "b:1") // b refuses connections
		_, err := c.Upsert(t.Context(), "docs", []client.Point{{}}, client.WriteOptions{})
		if !client.OutcomeUnknown(err) {
			t.Errorf("the second attempt surely failed, the first may not have: %v", err)
		}
	})
}

func TestWhatANodeRefusesForItselfIsAskedOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.node("a:1"), n.node("b:1")
		refusal := always(faultOf(client.ClassFailedPrecondition, map[string]string{"elsewhere": "true"}))
		a.on(remove, refusal)
		c := n.client(client.Config{}, "a:1", "b:1")
		del := func() error {
			_, err := c.DeletePoints(t.Context(), "docs", client.Selector{Filter: &client.Filter{}}, client.WriteOptions{})
			return err
		}
		if err := del(); err != nil || len(a.requests(remove)) != 1 || len(b.requests(remove)) != 1 {
			t.Fatalf("%v; %d and %d requests", err, len(a.requests(remove)), len(b.requests(remove)))
		}
		b.on(remove, refusal)
		if err := del(); client.ClassOf(err) != client.ClassFailedPrecondition || len(a.requests(remove)) != 2 || len(b.requests(remove)) != 2 {
			t.Errorf("nobody takes it: %v; %d and %d requests", err, len(a.requests(remove)), len(b.requests(remove)))
		}
	})
}

func TestAWriteThatWasNotSentIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, how := range []string{"refuse", "swallow"} {
			n := newNetwork(t)
			b := n.node("b:1")
			n.setCut("a:1", how)
			c := n.client(client.Config{}, "a:1", "b:1")
			start := time.Now()
			if err := c.CreateCollection(t.Context(), client.CollectionSpec{Name: "docs"}); err != nil {
				t.Fatalf("%s: %v", how, err)
			}
			if len(b.requests(create)) != 1 {
				t.Errorf("%s: second endpoint was not asked", how)
			}
			if d := time.Since(start); d > 4*time.Second {
				t.Errorf("%s: failover took %s", how, d)
			}
		}
	})
}

func TestNobodyAnswersNamesTheEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c := n.client(client.Config{}, "a:1")
		_, err := c.ListCollections(t.Context())
		var e *client.Error
		if !errors.As(err, &e) || e.Endpoint != "a:1" || e.Method != list || !client.IsUnavailable(err) || e.MaybeApplied {
			t.Errorf("got %#v", err)
		}
	})
}

func TestTheContextBoundsTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		for _, name := range []string{"a:1", "b:1"} {
			n.node(name).on(upsert, hang)
		}
		c := n.client(client.Config{Timeout: 2 * time.Second, MaxAttempts: 100}, "a:1", "b:1")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Upsert(ctx, "docs", []client.Point{{}}, client.WriteOptions{})
		if !errors.Is(err, context.DeadlineExceeded) || !client.IsTimeout(err) || !client.OutcomeUnknown(err) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(start); d != 5*time.Second {
			t.Errorf("gave up after %s, want 5s", d)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if _, err := c.ListCollections(ctx); !errors.Is(err, context.Canceled) || client.ClassOf(err) != client.ClassCanceled {
			t.Errorf("cancelled call: got %v", err)
		}
	})
}

func TestCloseEndsProbesAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("a:1").on(list, hang)
		c := n.client(client.Config{}, "b:1", "a:1") // b is probed from the first call on
		failed := make(chan error)
		go func() {
			_, err := c.ListCollections(context.Background())
			failed <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; err == nil {
			t.Error("a call in flight survived Close")
		}
		if _, err := c.ListCollections(t.Context()); err == nil {
			t.Error("a closed client answered")
		}
		if err := c.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func mustList(t *testing.T, c *client.Client) {
	t.Helper()
	got, err := c.ListCollections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != "a" {
		t.Fatalf("got %v, want [a b]", got)
	}
}
