package integration_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// flipIn turns a bit over in some of the files of a store that match, and says where.
func flipIn(t *testing.T, store, pattern string, random *rand.Rand, flips int) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(store, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	var done []string
	for range flips {
		name := files[random.IntN(len(files))]
		body, err := os.ReadFile(name)
		if err != nil || len(body) == 0 {
			t.Fatalf("%s: %d bytes, %v", name, len(body), err)
		}
		at := random.IntN(len(body))
		body[at] ^= 1 << random.IntN(8)
		if err := os.WriteFile(name, body, 0o600); err != nil {
			t.Fatal(err)
		}
		done = append(done, fmt.Sprintf("%s byte %d of %d", filepath.Base(name), at, len(body)))
	}
	return done
}

// Bits turn over in a node's tables, or in what says which tables there are, while it is down. It either starts, and what is damaged is
// made anew, or says that it will not, and comes back empty. No read through any node ever shows anything but what was written.
func TestBitsThatTurnedOverAreNeverServed(t *testing.T) {
	dir := t.TempDir()
	c := start(t, devcluster.Options{Nodes: 3, Dir: dir})
	create(t, official(t, c, 0), "docs", 1, 3, 2)
	const points = 1000
	fill(t, official(t, c, 0), "docs", 0, points)
	placed(t, clusterService(t, c, 0), "docs", 3)
	random := rand.New(rand.NewPCG(7, 7))
	stores, err := filepath.Glob(filepath.Join(dir, "*", "store"))
	if err != nil || len(stores) != 3 {
		t.Fatalf("%v, %v", stores, err)
	}
	restart := func(i int) {
		t.Helper()
		if err := errors.Join(c.DropNode(i), c.StartNode(t.Context(), i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, round := range []struct {
		pattern string
		flips   int
	}{{"*.sst", 1}, {"MANIFEST-*", 4}, {"*.sst", 4}} {
		restart(i) // what was in write-ahead files is in tables then
		placed(t, clusterService(t, c, (i+1)%3), "docs", 3)
		if err := c.DropNode(i); err != nil {
			t.Fatal(err)
		}
		where := flipIn(t, stores[i], round.pattern, random, round.flips)
		err := c.StartNode(t.Context(), i)
		if err != nil {
			if !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "Move the directory away") {
				t.Fatalf("%v: it does not start, and does not say what to do: %v", where, err)
			}
			t.Logf("%v: %v", where, err)
			if err := errors.Join(c.WipeNode(i), c.StartNode(t.Context(), i)); err != nil {
				t.Fatal(err)
			}
		}
		for through := range 3 {
			showsAll(t, official(t, c, through), points)
		}
		placed(t, clusterService(t, c, (i+1)%3), "docs", 3)
	}
}

// showsAll reads every point with its payload: each answer has to be whole and right, or an error.
func showsAll(t *testing.T, client *qdrant.Client, points int) {
	t.Helper()
	eventually(t, "all points are shown", func(ctx context.Context) error {
		got, err := client.Scroll(ctx, &qdrant.ScrollPoints{
			CollectionName: "docs", Limit: qdrant.PtrOf(uint32(points + 1)), WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true),
		})
		if err != nil {
			return err
		}
		if len(got) != points {
			t.Fatalf("%d points are shown of %d", len(got), points)
		}
		for i, p := range got {
			if n := p.GetPayload()["n"].GetIntegerValue(); p.GetId().GetNum() != uint64(i) || n != int64(i) {
				t.Fatalf("point %d: %v", i, p)
			}
		}
		return nil
	})
}
