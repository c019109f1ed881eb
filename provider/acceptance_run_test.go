package provider_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// wholeRun is set by make acceptance-run.
var wholeRun = flag.Bool("acc.run", false, "drive a cluster through its whole life with Terraform, under load (minutes)")

// settleWithin bounds how long the cluster may take to become as declared after something happened to it.
const settleWithin = 2 * time.Minute

// life is a cluster that Terraform drives while a load is on it.
type life struct {
	*stage
	cluster *devcluster.Cluster
	client  *client.Client
	load    *load
}

// declared is the configuration with so many shards and replicas, and more HCL.
func (l *life) declared(shards, replicas int, more string) string {
	return fmt.Sprintf(`
resource "ostraka_collection" "docs" {
  name               = "docs"
  vectors            = { "" = { size = %d, distance = "Dot" } }
  shard_number       = %d
  replication_factor = %d
  write_consistency  = "quorum"
}
%s`, loadSize, shards, replicas, more)
}

// until asks what is missing until nothing is.
func (l *life) until(what string, missing func(ctx context.Context) string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), settleWithin)
	defer cancel()
	start := time.Now()
	for {
		last := missing(ctx)
		if last == "" {
			l.t.Logf("%s: after %s", what, time.Since(start).Round(10*time.Millisecond))
			return
		}
		select {
		case <-ctx.Done():
			l.t.Fatalf("%s: not within %s: %s", what, settleWithin, last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// full says what is missing until every shard has so many active replicas, and no others.
func (l *life) full(shards, replicas int) func(ctx context.Context) string {
	return func(ctx context.Context) string {
		placement, err := l.client.Placement(ctx, "docs")
		if err != nil {
			return err.Error()
		}
		var problems []string
		for _, s := range placement[0].Shards {
			if int(s.ActiveReplicas) != replicas || len(s.Replicas) != replicas || s.Problem != "" {
				problems = append(problems, fmt.Sprintf("shard %d: %d replicas, %d active, %s", s.ID, len(s.Replicas), s.ActiveReplicas, s.Problem))
			}
		}
		if len(placement[0].Shards) != shards {
			problems = append(problems, fmt.Sprintf("%d shards", len(placement[0].Shards)))
		}
		return strings.Join(problems, "; ")
	}
}

// holds says what is missing until a peer holds replicas (or, with none, holds none).
func (l *life) holds(name string, none bool) func(ctx context.Context) string {
	return func(ctx context.Context) string {
		cluster, err := l.client.Cluster(ctx)
		if err != nil {
			return err.Error()
		}
		for _, p := range cluster.Peers {
			if p.Name == name && !p.Replaced && (p.Replicas == 0) != none {
				return fmt.Sprintf("%s holds %d replicas", name, p.Replicas)
			}
		}
		return ""
	}
}

// check runs after an apply, before the plan that must be empty.
func check(f func()) resource.TestCheckFunc {
	return func(*terraform.State) error { f(); return nil }
}

// phase begins another part of the run in the record, and does what it takes.
func (l *life) phase(name string, do func(ctx context.Context) error) func() {
	return func() {
		l.load.phase(name)
		ctx, cancel := context.WithTimeout(context.Background(), settleWithin)
		defer cancel()
		if err := do(ctx); err != nil {
			l.t.Fatalf("%s: %v", name, err)
		}
	}
}

func nothing(context.Context) error { return nil }

func newLife(t *testing.T) *life {
	t.Helper()
	if os.Getenv("TF_ACC") == "" || !*wholeRun {
		t.Skip("takes minutes: make acceptance-run")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cluster, err := devcluster.Start(ctx, devcluster.Options{Nodes: 3, Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("start three nodes: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Errorf("close the nodes: %v", err)
		}
	})
	t.Setenv("OSTRAKA_ENDPOINTS", strings.Join(cluster.Endpoints(), ","))
	l := &life{stage: newStageOn(t, cluster.Endpoints()[:1]), cluster: cluster}
	l.client, err = client.New(client.Config{Endpoints: cluster.Endpoints(), MaxAttempts: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.client.Close() })
	replaceAfter := 3 * time.Second
	if _, err := l.client.UpdateSettings(ctx, client.Settings{ReplicaReplaceAfter: &replaceAfter}); err != nil {
		t.Fatalf("settings: %v", err)
	}
	l.load = newLoad(cluster.Endpoints())
	t.Cleanup(l.load.stop)
	return l
}

// TestAccTheWholeLifeOfACollectionUnderLoad is the run that the project is measured by: no operation of a client fails, every
// plan after an apply is empty, and the points at the end are those of the model.
func TestAccTheWholeLifeOfACollectionUnderLoad(t *testing.T) {
	l := newLife(t)
	inPlace := action(plancheck.ResourceActionUpdate)
	steps := []resource.TestStep{{Config: l.declared(4, 1, "")}, {
		PreConfig: l.phase("1 -> 3 replicas", func(context.Context) error { l.load.start(); return nil }),
		Config:    l.declared(4, 3, ""), ConfigPlanChecks: inPlace, Check: check(func() { l.until("as declared", l.full(4, 3)) }),
	}}
	shards := 4
	for _, n := range []int{8, 3} {
		steps = append(steps, resource.TestStep{
			PreConfig: l.phase(fmt.Sprintf("%d -> %d shards", shards, n), nothing), Config: l.declared(n, 3, ""),
			ConfigPlanChecks: inPlace, Check: check(func() { l.until("as declared", l.full(n, 3)) }),
		})
		shards = n
	}
	steps = append(steps, l.nodes(shards)...)
	steps = append(steps, resource.TestStep{
		PreConfig: l.phase("3 -> 2 replicas", nothing), Config: l.declared(shards, 2, ""), ConfigPlanChecks: inPlace,
		Check: check(func() {
			l.until("as declared", l.full(shards, 2))
			l.load.stop()
			l.load.compare(t, l.client)
		}),
	})
	defer l.load.report(t)
	l.run(steps)
}

// nodes are the steps in which nodes come and go.
func (l *life) nodes(shards int) []resource.TestStep {
	same := l.declared(shards, 3, "")
	steps := []resource.TestStep{{
		PreConfig: l.phase("a fourth node joins", func(ctx context.Context) error { _, err := l.cluster.AddNode(ctx); return err }),
		Config:    same, Check: check(func() {
			l.until("node-4 has its share", l.holds("node-4", false))
			l.until("as declared", l.full(shards, 3))
		}),
	}, {
		PreConfig: l.phase("node-2 is killed", func(context.Context) error { return l.cluster.DropNode(1) }),
		Config:    same, Check: check(func() {
			l.until("nothing is left on node-2", l.holds("node-2", true))
			l.until("its replicas are elsewhere", l.full(shards, 3))
		}),
	}, {
		PreConfig: l.phase("node-2 returns", func(ctx context.Context) error { return l.cluster.StartNode(ctx, 1) }),
		Config:    same, Check: check(func() {
			l.until("node-2 has its share", l.holds("node-2", false))
			l.until("as declared", l.full(shards, 3))
		}),
	}, {
		PreConfig: l.phase("node-3 is adopted", nothing), Config: l.declared(shards, 3, peerOut(""))},
	}
	return append(steps, resource.TestStep{
		PreConfig: l.phase("node-3 is drained and removed", nothing), Config: same, Check: check(func() {
			l.until("as declared", l.full(shards, 3))
			cluster, err := l.client.Cluster(context.Background())
			if err != nil || slices.ContainsFunc(cluster.Peers, func(p client.Peer) bool { return p.Name == "node-3" && !p.Replaced }) {
				l.t.Errorf("node-3 is still a member: %v, %v", cluster, err)
			}
		}),
	})
}

func peerOut(extra string) string {
	return "resource \"ostraka_peer\" \"out\" {\n  name = \"node-3\"\n  " + extra + "\n}\n"
}
