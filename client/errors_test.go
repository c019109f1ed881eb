package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func TestClassAndHintsSurviveTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{MaxAttempts: 1}, "a:1")
		for class := range client.Classes() {
			a.on(list, always(faultOf(class, map[string]string{"primary": "17"})))
			_, err := c.ListCollections(t.Context())
			if client.ClassOf(fmt.Errorf("wrapped: %w", err)) != class || client.Hint(err, "primary") != "17" {
				t.Errorf("%s: got %v", class, err)
			}
			if !strings.Contains(err.Error(), "as worded by the node") {
				t.Errorf("%s: the node's words are lost: %v", class, err)
			}
		}
	})
}

func TestClassFallsBackToTheCode(t *testing.T) {
	foreign, err := status.New(codes.NotFound, "").WithDetails(&errdetails.ErrorInfo{Domain: "elsewhere", Reason: "DENIED"})
	if err != nil {
		t.Fatal(err)
	}
	newer, err := status.New(codes.InvalidArgument, "").WithDetails(&errdetails.ErrorInfo{Domain: "ostraka", Reason: "NEWER"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err  error
		want client.Class
	}{
		{status.Error(codes.InvalidArgument, ""), client.ClassInvalid},
		{status.Error(codes.OutOfRange, ""), client.ClassInvalid},
		{status.Error(codes.AlreadyExists, ""), client.ClassExists},
		{status.Error(codes.Unavailable, ""), client.ClassUnavailable},
		{status.Error(codes.Aborted, ""), client.ClassConflict},
		{status.Error(codes.Unknown, ""), client.ClassInternal},
		{status.Error(codes.Unauthenticated, ""), client.ClassUnauthenticated},
		{foreign.Err(), client.ClassNotFound},
		{newer.Err(), client.ClassInvalid},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.node("a:1").on(list, always(c.err))
			cl := n.client(client.Config{MaxAttempts: 1}, "a:1")
			if _, err := cl.ListCollections(t.Context()); client.ClassOf(err) != c.want {
				t.Errorf("%v: got %v, want %v", c.err, client.ClassOf(err), c.want)
			}
		})
	}
}

func TestPlainQdrantIsToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("q:1", plain)
		c := n.client(client.Config{}, "q:1")
		mustList(t, c)
		_, err := c.Cluster(t.Context())
		var e *client.NotOstrakaError
		if !errors.Is(err, client.ErrNotOstraka) || !errors.As(err, &e) || e.Endpoint != "q:1" || e.Version != "1.17.4" {
			t.Fatalf("got %v", err)
		}
		if !strings.HasPrefix(err.Error(), "the server at q:1 is a plain Qdrant 1.17.4: ") || !client.IsUnsupported(err) {
			t.Errorf("got %v", err)
		}
		if _, err := c.Placement(t.Context()); !errors.Is(err, client.ErrNotOstraka) {
			t.Errorf("got %v", err)
		}
	})
}

func TestANodeWithoutAFeatureIsNotAPlainQdrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.node("a:1").on("ostraka.cluster.v1.Cluster/GetCluster", always(faultOf(client.ClassUnsupported, nil)))
		_, err := n.client(client.Config{}, "a:1").Cluster(t.Context())
		if errors.Is(err, client.ErrNotOstraka) || !client.IsUnsupported(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestSettle(t *testing.T) {
	unknown := &client.Error{Class: client.ClassTimeout, MaybeApplied: true}
	exists := &client.Error{Class: client.ClassExists}
	away := &client.Error{Class: client.ClassUnavailable}
	for _, c := range []struct {
		name    string
		do      []error
		look    []any // bool or error
		want    client.Class
		doLeft  int
		lookEnd int
	}{
		{name: "success needs no look", do: []error{nil}, want: ""},
		{name: "a sure failure needs no look", do: []error{exists}, want: client.ClassExists},
		{name: "there after all", do: []error{unknown}, look: []any{true}, want: ""},
		{name: "not there: again", do: []error{unknown, nil}, look: []any{false}, want: ""},
		{name: "looks again while nobody answers", do: []error{unknown}, look: []any{away, away, true}, want: ""},
		{name: "applied late, the repeat finds it", do: []error{unknown, exists}, look: []any{false, true}, want: ""},
		{name: "somebody else's in the end", do: []error{unknown, exists}, look: []any{false, false}, want: client.ClassExists},
		{name: "look fails for good", do: []error{unknown}, look: []any{&client.Error{Class: client.ClassDenied}}, want: client.ClassTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dos, looks := 0, 0
				err := client.Settle(t.Context(), func(context.Context) error {
					dos++
					return c.do[dos-1]
				}, func(context.Context) (bool, error) {
					looks++
					if err, ok := c.look[looks-1].(error); ok {
						return false, err
					}
					return c.look[looks-1].(bool), nil
				})
				if client.ClassOf(err) != c.want || dos != len(c.do) || looks != len(c.look) {
					t.Errorf("got %v after %d of %d tries and %d of %d looks", err, dos, len(c.do), looks, len(c.look))
				}
			})
		})
	}
}

func TestSettleEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := client.Settle(ctx,
			func(context.Context) error { return &client.Error{Class: client.ClassTimeout, MaybeApplied: true} },
			func(context.Context) (bool, error) { return false, nil })
		if !client.OutcomeUnknown(err) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestConsistencyFactors(t *testing.T) {
	for _, c := range []struct{ replicas, weak, quorum, strong uint32 }{
		{1, 1, 1, 1}, {2, 1, 2, 2}, {3, 1, 2, 3}, {4, 1, 3, 4}, {5, 1, 3, 5},
	} {
		got := [3]uint32{client.Weak.Factor(c.replicas), client.Quorum.Factor(c.replicas), client.Strong.Factor(c.replicas)}
		if got != [3]uint32{c.weak, c.quorum, c.strong} {
			t.Errorf("%d replicas: got %v", c.replicas, got)
		}
		for _, factor := range got {
			back, ok := client.ConsistencyOf(factor, c.replicas)
			if !ok || back.Factor(c.replicas) != factor {
				t.Errorf("%d of %d: got %v, %v", factor, c.replicas, back, ok)
			}
		}
	}
	if _, ok := client.ConsistencyOf(4, 5); ok {
		t.Error("4 of 5 has no name")
	}
	for _, c := range []client.Consistency{client.Weak, client.Quorum, client.Strong} {
		if got, err := client.ParseConsistency(c.String()); err != nil || got != c {
			t.Errorf("%s: got %v, %v", c, got, err)
		}
	}
	if _, err := client.ParseConsistency("Strong"); err == nil {
		t.Error("an unknown name was accepted")
	}
}

func TestParseID(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "18446744073709551615": "18446744073709551615",
		"6BA7B8109DAD11D180B400C04FD430C8":              "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		"urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
	} {
		if got, err := client.ParseID(in); err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "-1", "1.5", "18446744073709551616", "king", "6ba7b810"} {
		if id, err := client.ParseID(in); err == nil {
			t.Errorf("%q was read as %s", in, id)
		}
	}
}
