package integration_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// The official client, unchanged, works against any of three nodes: what one takes, all show.
func TestTheOfficialClientWorksAgainstEveryNode(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	for i := range 3 {
		t.Run(fmt.Sprintf("node %d", i+1), func(t *testing.T) {
			client, other := official(t, c, i), official(t, c, (i+1)%3)
			name := fmt.Sprintf("docs-%d", i)
			create(t, client, name, 4, 2, 2)
			fill(t, client, name, 0, 100)
			search(t, client, name)
			search(t, other, name)
			scrollAll(t, other, name, 100)
			deleteSome(t, client, name)
			if err := other.DeleteCollection(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the collection is gone everywhere", func(ctx context.Context) error {
				_, err := client.GetCollectionInfo(ctx, name)
				if status.Code(err) != codes.NotFound {
					return fmt.Errorf("got %w, want NotFound", err)
				}
				return nil
			})
		})
	}
}

// search asks for the neighbours of (50.2, 0, 0, 1), whose order is known.
func search(t *testing.T, client *qdrant.Client, name string) {
	t.Helper()
	eventually(t, "the neighbours are found", func(ctx context.Context) error {
		hits, err := client.Query(ctx, &qdrant.QueryPoints{
			CollectionName: name, Query: qdrant.NewQuery(50.2, 0, 0, 1), Limit: qdrant.PtrOf(uint64(3)), WithPayload: qdrant.NewWithPayload(true),
		})
		if err != nil {
			return err
		}
		for i, want := range []uint64{50, 51, 49} {
			if len(hits) != 3 || hits[i].GetId().GetNum() != want || hits[i].GetPayload()["n"].GetIntegerValue() != int64(want) {
				return fmt.Errorf("hits %v, want 50, 51, 49", hits)
			}
		}
		return nil
	})
	hits, err := client.Query(t.Context(), &qdrant.QueryPoints{
		CollectionName: name, Query: qdrant.NewQueryID(qdrant.NewIDNum(50)), Limit: qdrant.PtrOf(uint64(2)),
		Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchBool("even", true)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(hits) != 2 || hits[0].GetId().GetNum() != 48 || hits[1].GetId().GetNum() != 52 {
		t.Errorf("even neighbours of 50: %v, want 48 and 52", hits)
	}
}

func scrollAll(t *testing.T, client *qdrant.Client, name string, want uint64) {
	t.Helper()
	var next *qdrant.PointId
	seen := uint64(0)
	for {
		page, offset, err := client.ScrollAndOffset(t.Context(), &qdrant.ScrollPoints{CollectionName: name, Limit: qdrant.PtrOf(uint32(7)), Offset: next})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page {
			if p.GetId().GetNum() != seen {
				t.Fatalf("scrolled to %v, want %d", p.GetId(), seen)
			}
			seen++
		}
		if next = offset; next == nil {
			break
		}
	}
	if seen != want {
		t.Errorf("scrolled over %d points, want %d", seen, want)
	}
}

func deleteSome(t *testing.T, client *qdrant.Client, name string) {
	t.Helper()
	_, err := client.Delete(t.Context(), &qdrant.DeletePoints{
		CollectionName: name, Wait: qdrant.PtrOf(true),
		Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchBool("even", false)}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := count(t.Context(), client, name); err != nil || n != 50 {
		t.Errorf("%d points are left: %v, want 50", n, err)
	}
}
