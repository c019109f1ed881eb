package client_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func TestReadsAskForTheirConsistency(t *testing.T) {
	for consistency, want := range map[client.Consistency]struct {
		field  *qdrant.ReadConsistency
		header []string
	}{
		client.Weak:   {},
		client.Quorum: {field: qdrant.NewReadConsistencyType(qdrant.ReadConsistencyType_Quorum)},
		client.Strong: {header: []string{"strong"}},
	} {
		t.Run(consistency.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				a := n.node("a:1")
				for name, c := range map[string]*client.Client{
					"derived":    n.client(client.Config{}, "a:1").Reading(consistency),
					"configured": n.client(client.Config{ReadConsistency: consistency}, "a:1"),
				} {
					readAll(t, c)
					for _, method := range []string{"Query", "Scroll", "Count", "Get"} {
						seen := a.requests("qdrant.Points/" + method)
						last := seen[len(seen)-1]
						field := last.request.(interface {
							GetReadConsistency() *qdrant.ReadConsistency
						}).GetReadConsistency()
						if !proto.Equal(field, want.field) || !slices.Equal(last.metadata.Get("x-ostraka-consistency"), want.header) {
							t.Errorf("%s, %s: field %v, metadata %v", name, method, field, last.metadata)
						}
					}
				}
			})
		})
	}
}

func readAll(t *testing.T, c *client.Client) {
	t.Helper()
	ctx := context.Background()
	if _, err := c.Query(ctx, "docs", client.QueryRequest{Vector: []float32{1}}); err != nil {
		t.Error(err)
	}
	if _, _, err := c.Scroll(ctx, "docs", client.ScrollRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := c.Count(ctx, "docs", nil); err != nil {
		t.Error(err)
	}
	if _, err := c.Get(ctx, "docs", client.GetRequest{IDs: []client.PointID{client.Num(1)}}); err != nil {
		t.Error(err)
	}
}

func TestADerivedClientLeavesTheOtherAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.node("a:1")
		c := n.client(client.Config{}, "a:1")
		_ = c.Reading(client.Strong)
		readAll(t, c)
		for _, s := range a.requests("") {
			if strings.HasPrefix(s.method, "qdrant.Points/") && len(s.metadata.Get("x-ostraka-consistency")) != 0 {
				t.Errorf("%s asks for %v", s.method, s.metadata)
			}
		}
	})
}

func TestAnUnknownReadConsistencyIsRefused(t *testing.T) {
	if _, err := client.New(client.Config{Endpoints: []string{"a:1"}, ReadConsistency: 9}); err == nil || !strings.Contains(err.Error(), "ReadConsistency") {
		t.Errorf("got %v", err)
	}
}
