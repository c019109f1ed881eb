//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

var (
	scaleCollections = flag.Int("scale.collections", 30, "how many collections, of two shards with two copies each; from 1,000 on what is promised of them is demanded")
	scaleTerraform   = flag.String("scale.terraform", "", "the terraform or tofu that declares them; without it, TF_ACC_TERRAFORM_PATH or one on PATH")
)

// promisedCollections is how many collections it is of which something is promised.
const promisedCollections = 1000

// scale is a cluster whose collections Terraform declares.
type scale struct {
	t       *testing.T
	nodes   []*node
	tf, dir string
	client  *client.Client // knows all nodes
	figures [][4]string    // what, figure, processor time, verdict
	used    time.Duration  // processor time of the last command of Terraform, its provider's with it
}

// TestManyCollections has one apply declare many collections on three nodes, and prints what that costs: the apply, the plan after it,
// memory and processor time at rest, the failover of all of them after a kill -9, and their end.
func TestManyCollections(t *testing.T) {
	tf := terraform()
	if tf == "" {
		t.Skip("there is no terraform and no tofu on PATH")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	bin := build(t)
	s := &scale{t: t, nodes: newNodes(t, 3), tf: tf, dir: t.TempDir()}
	for _, n := range s.nodes {
		must(t, n.start(bin))
	}
	allReady(ctx, t, s.nodes)
	s.connect()
	s.declare(ctx)
	own := watchMachine(t, t.TempDir())
	defer func() {
		t.Logf("%d collections x 2 shards x 2 copies on 3 nodes\n%s%s", *scaleCollections, s.table(), own.text())
		if t.Failed() {
			keepLogs(t, s.nodes)
		}
	}()

	s.took("apply", 5*time.Minute, func() error { return s.terraform(ctx, "apply", "-auto-approve") })
	s.took("plan after it, empty", time.Minute, func() error { return s.terraform(ctx, "plan", "-detailed-exitcode") })
	s.took("every shard has its copies", 0, func() error { return s.whole(ctx) })
	s.took("a write of 16 points to each", 0, func() error { return s.write(ctx) })
	s.rest(ctx, "at rest")
	victim, _ := chooseVictim(ctx, t, s.nodes, true)
	must(t, victim.kill())
	s.took("kill -9 of the Raft leader: all take writes", 10*time.Second, func() error { return s.write(ctx) })
	s.took("plan while the node is away", 0, func() error { return s.terraform(ctx, "plan") })
	must(t, victim.start(bin))
	s.took("it is back: every copy counts", 0, func() error { return s.whole(ctx) })
	s.rest(ctx, "at rest again")
	s.took("SIGTERM: a node hands over and ends", 0, s.nodes[1].stop)
	s.took("all take writes", 0, func() error { return s.write(ctx) })
	must(t, s.nodes[1].start(bin))
	s.took("it is back: every copy counts", 0, func() error { return s.whole(ctx) })
	s.took("destroy", 0, func() error { return s.terraform(ctx, "destroy", "-auto-approve") })
	s.peak()
}

func terraform() string {
	for _, path := range []string{*scaleTerraform, os.Getenv("TF_ACC_TERRAFORM_PATH"), "terraform", "tofu"} {
		if found, err := exec.LookPath(path); path != "" && err == nil {
			return found
		}
	}
	return ""
}

func (s *scale) connect() {
	var endpoints []string
	for _, n := range s.nodes {
		endpoints = append(endpoints, n.grpc)
	}
	c, err := client.New(client.Config{Endpoints: endpoints, MaxAttempts: 1000})
	must(s.t, err)
	s.t.Cleanup(func() { must(s.t, c.Close()) })
	s.client = c
}

// declare builds the provider and writes the configuration.
func (s *scale) declare(ctx context.Context) {
	s.t.Helper()
	out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(s.dir, "terraform-provider-ostraka"),
		"../../provider/cmd/terraform-provider-ostraka").CombinedOutput()
	if err != nil {
		s.t.Fatalf("build the provider: %v\n%s", err, out)
	}
	must(s.t, os.WriteFile(filepath.Join(s.dir, "cli.tfrc"), fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    \"ostraka/ostraka\" = %q\n  }\n}\n", s.dir), 0o600))
	must(s.t, os.WriteFile(filepath.Join(s.dir, "main.tf"), fmt.Appendf(nil, `
terraform {
  required_providers {
    ostraka = { source = "ostraka/ostraka" }
  }
}

resource "ostraka_collection" "many" {
  count              = %d
  name               = format("many-%%04d", count.index)
  vectors            = { "" = { size = %d, distance = "Dot" } }
  shard_number       = 2
  replication_factor = 2
}
`, *scaleCollections, dimension), 0o600))
}

// terraform runs one command of it, as a user would.
func (s *scale) terraform(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, s.tf, append(args, "-input=false", "-no-color")...)
	cmd.Dir = s.dir
	var endpoints []string
	for _, n := range s.nodes {
		endpoints = append(endpoints, n.grpc)
	}
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(s.dir, "cli.tfrc"), "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1",
		"OSTRAKA_ENDPOINTS="+strings.Join(endpoints, ","))
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil {
		s.used = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil {
		text := string(out)
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(s.tf), strings.Join(args, " "), err, text[max(0, len(text)-4000):])
	}
	return nil
}

// took does something, and notes how long it took; bound is what is promised of the full number, 0: nothing.
func (s *scale) took(what string, bound time.Duration, do func() error) {
	s.t.Helper()
	s.used = 0
	began, before := time.Now(), s.computed()
	if err := do(); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	took, verdict := time.Since(began), ""
	work := "nodes " + max(0, s.computed()-before).Round(10*time.Millisecond).String()
	if s.used > 0 {
		work += ", Terraform " + s.used.Round(10*time.Millisecond).String()
	}
	if bound > 0 && *scaleCollections >= promisedCollections {
		if verdict = "ok: at most " + bound.String(); took > bound {
			verdict = "TOO LONG: at most " + bound.String()
			s.t.Errorf("%s: %s, want at most %s", what, took, bound)
		}
	}
	s.note(what, took.Round(10*time.Millisecond).String(), work, verdict)
}

func (s *scale) note(what, figure, work, verdict string) {
	s.t.Logf("%s: %s (%s) %s", what, figure, work, verdict)
	s.figures = append(s.figures, [4]string{what, figure, work, verdict})
}

func (s *scale) table() string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(out, "what\ttook\tprocessor time\tpromised")
	for _, f := range s.figures {
		fmt.Fprintln(out, strings.Join(f[:], "\t"))
	}
	_ = out.Flush()
	return text.String()
}

// whole waits until every copy of every shard counts, by the word of a node that has been there all the time.
func (s *scale) whole(ctx context.Context) error {
	return until(ctx, func() error {
		placement, err := s.client.Placement(ctx)
		if err != nil {
			return err
		}
		if len(placement) != *scaleCollections {
			return fmt.Errorf("there are %d collections", len(placement))
		}
		for _, c := range placement {
			for _, sh := range c.Shards {
				if sh.ActiveReplicas != 2 || !sh.Writable {
					return fmt.Errorf("%s shard %d: %d active: %s", c.Collection, sh.ID, sh.ActiveReplicas, sh.Problem)
				}
			}
		}
		return nil
	})
}

// write writes to every shard of every collection, as often as it takes.
func (s *scale) write(ctx context.Context) error {
	var points []client.Point
	for id := range uint64(16) {
		points = append(points, client.Point{ID: client.Num(id), Vectors: client.Vectors{"": vectorOf(id, 0)}})
	}
	const atOnce = 16
	next := make(chan int)
	errs := make([]error, atOnce)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := range next {
				if errs[w] == nil {
					errs[w] = until(ctx, func() error {
						_, err := s.client.Upsert(ctx, fmt.Sprintf("many-%04d", i), points, client.WriteOptions{Wait: true})
						return err
					})
				}
			}
		})
	}
	for i := range *scaleCollections {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}
