//go:build mutation

package mutations_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
)

// test is one that a mutation has to fail: a package below node, the test's name, and flags.
type test struct {
	pkg, name string
	flags     []string
	plain     []string // flags without a mutation; nil: the same
}

// The simulations, and for how long they look.
var (
	clusters = test{
		pkg: "simulation", name: "TestClustersKeepTheirPromises", flags: []string{"-sim.seeds=60", "-sim.for=0", "-sim.first"},
		plain: []string{"-sim.seeds=8", "-sim.for=0"}, // `make test` looks at many more
	}
	steps = test{
		pkg: "simulation", name: "TestWhoeverDiesAtAStepOfAMoveItGoesOn", flags: []string{"-sim.seeds=50", "-sim.for=0", "-sim.first"},
		plain: []string{"-sim.seeds=5", "-sim.for=0"},
	}
	walks = test{pkg: "internal/replication", name: "TestSimulation", flags: []string{"-sim.walks=2000"}}
)

func caught(by ...test) []test { return by }

// trials lists each mutation with the tests that have to see it, each by itself.
func trials() map[mutation.Mutation][]test {
	return map[mutation.Mutation][]test{
		mutation.UnsyncedCommit:     caught(clusters),
		mutation.ForgottenTombstone: caught(clusters),
		mutation.AnswerBeforeQuorum: caught(clusters, walks),
		mutation.UncheckedPrevious:  caught(clusters, walks),
		mutation.KeptTail:           caught(clusters, walks),
		mutation.StaleReads:         caught(clusters),
		mutation.ReusedGeneration:   caught(clusters),
		mutation.UnfencedReads:      caught(walks),
		mutation.FewAnswers:         caught(walks),
		mutation.OlderTerm:          caught(walks),
		mutation.ForgottenPromise:   caught(test{pkg: "internal/replica", name: "TestAPromiseSurvivesARestart"}),
		mutation.EarlyReply:         caught(test{pkg: "internal/replica", name: "TestAReplicaAcknowledgesWhatIsDurable"}),
		mutation.UncheckedSnapshot:  caught(test{pkg: "internal/replica", name: "TestAChunkThatLiesIsFoundByTheDigest"}),
		mutation.EarlyFlip:          caught(test{pkg: "internal/mover", name: "TestSlotsMoveUnderWrites"}, steps),
		mutation.DeniedExistence:    caught(test{pkg: "integration", name: "TestANodeThatIsCutOffDeniesNothingAndServesNoStaleStrongRead"}),
		mutation.RetriedSync:        caught(test{pkg: "internal/kv", name: "TestAFailedSyncIsTheLast"}),
		mutation.FullDiskSuccess:    caught(test{pkg: "internal/kv", name: "TestACommitWithoutRoomIsRefused"}),
		mutation.UncheckedValue:     caught(test{pkg: "internal/kv", name: "TestFlippedBitsAreFound"}),
	}
}

// order is that of the table: as package mutation declares them.
func order(t *testing.T) []mutation.Mutation {
	t.Helper()
	source, err := os.ReadFile("../internal/mutation/mutation.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []mutation.Mutation
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ +Mutation = "([a-z-]+)"$`).FindAllSubmatch(source, -1) {
		all = append(all, mutation.Mutation(m[1]))
	}
	return all
}

const patience = 10 * time.Minute // with one test; the machine may be slow

func TestEveryMutationIsCaught(t *testing.T) {
	all, names := trials(), order(t)
	if len(names) != len(all) {
		t.Fatalf("%d mutations are declared, %d are tried", len(names), len(all))
	}
	b := bench{dir: t.TempDir(), built: map[string]string{}, sound: map[string]bool{}}
	var table strings.Builder
	for _, name := range names {
		if len(all[name]) == 0 {
			t.Errorf("%s is declared, and not tried", name)
		}
		for _, by := range all[name] {
			t.Run(string(name)+"/"+by.name, func(t *testing.T) {
				b.passes(t, by)
				took, why := b.fails(t, by, name)
				fmt.Fprintf(&table, "%-22s %-62s %6.1f s  %s\n", name, by.name, took.Seconds(), why)
			})
		}
	}
	t.Logf("what each mutation was caught by, and after how long:\n%s", table.String())
}

// A program that is built for use knows no mutations.
func TestNodesForUseHaveNoMutations(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ostraka")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, "../cmd/ostraka").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(program, []byte(mutation.Variable)) || bytes.Contains(program, []byte(mutation.UnsyncedCommit)) {
		t.Error("it asks for a mutation")
	}
}

// bench builds tests and runs them.
type bench struct {
	dir   string
	built map[string]string // by package
	sound map[string]bool   // tests that passed without a mutation
}

func (b *bench) build(t *testing.T, pkg string) string {
	t.Helper()
	if name, ok := b.built[pkg]; ok {
		return name
	}
	name := filepath.Join(b.dir, strings.ReplaceAll(pkg, "/", "-"))
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "mutation", "-o", name, "../"+pkg).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b.built[pkg] = name
	return name
}

// run runs a test, with a mutation if one is named.
func (b *bench) run(t *testing.T, by test, m mutation.Mutation) (out []byte, took time.Duration, err error) {
	t.Helper()
	program, flags := b.build(t, by.pkg), by.flags
	if m == "" && by.plain != nil {
		flags = by.plain
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"-test.run", "^" + by.name + "$", "-test.v"}, flags...)...)
	cmd.Dir = "../" + by.pkg
	cmd.Env = append(os.Environ(), mutation.Variable+"="+string(m))
	begun := time.Now()
	out, err = cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s does not end within %s", by.name, patience)
	}
	return out, time.Since(begun), err
}

// passes demands that a test passes as things are.
func (b *bench) passes(t *testing.T, by test) {
	t.Helper()
	if b.sound[by.name] {
		return
	}
	out, _, err := b.run(t, by, "")
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+by.name)) || bytes.Contains(out, []byte("--- SKIP")) {
		t.Fatalf("%s fails without a mutation, or is skipped: %v\n%s", by.name, err, end(out))
	}
	b.sound[by.name] = true
}

var complaint = regexp.MustCompile(`(?m)^ *\w+_test\.go:\d+: (.*)$|^panic: (.*)$`)

// fails demands that a test fails with a mutation, and returns what it says first.
func (b *bench) fails(t *testing.T, by test, m mutation.Mutation) (took time.Duration, why string) {
	t.Helper()
	out, took, err := b.run(t, by, m)
	var exit *exec.ExitError
	if err == nil {
		t.Fatalf("%s does not notice %s", by.name, m)
	}
	found := complaint.FindSubmatch(out)
	if !errors.As(err, &exit) || found == nil {
		t.Fatalf("%s: %v\n%s", by.name, err, end(out))
	}
	return took, string(found[1]) + string(found[2])
}

// end is the end of what a test said.
func end(out []byte) []byte { return out[max(0, len(out)-4000):] }
