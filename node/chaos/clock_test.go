//go:build chaos

package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// The wall clock cannot be set for one process alone, and time namespaces move the monotonic clock only. So the nodes under test
// are built with an overlay: time.Now adds an offset that the process reads, again and again, from a file. Everything in the
// process sees the jump, libraries as well, as it would see one of the machine's clock: what is measured by the
// monotonic clock is not touched. The node's own code knows nothing of it.

// clockFile is the variable that names the file: nanoseconds, as text.
const clockFile = "OSTRAKA_CHAOS_CLOCK"

const (
	nowBefore = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	nowAfter  = nowBefore + "\tsec, nsec = jumped(sec, nsec)\n"

	jumpSource = `package time

import "sync/atomic"

var jump atomic.Int64

// Jump moves the wall clock of this process by so many nanoseconds from where it would be.
func Jump(ns int64) { jump.Store(ns) }

func jumped(sec int64, nsec int32) (int64, int32) {
	by := jump.Load()
	sec += by / 1e9
	ns := int64(nsec) + by%1e9
	if ns < 0 {
		sec, ns = sec-1, ns+1e9
	} else if ns >= 1e9 {
		sec, ns = sec+1, ns-1e9
	}
	return sec, int32(ns)
}
`

	watchSource = `package main

import (
	"os"
	"strconv"
	"time"
)

func init() {
	path := os.Getenv("` + clockFile + `")
	if path == "" {
		return
	}
	look := func() {
		raw, err := os.ReadFile(path)
		if err != nil {
			return
		}
		if ns, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			time.Jump(ns)
		}
	}
	look()
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			look()
		}
	}()
}
`
)

// clockOverlay writes what makes the clock of a built node movable below dir, and returns the name of the overlay.
func clockOverlay(dir string) (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	std := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	raw, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		return "", err
	}
	if strings.Count(string(raw), nowBefore) != 1 {
		return "", errors.New("this version of Go reads the clock in another way")
	}
	command, err := filepath.Abs("../cmd/ostraka")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for at, text := range map[string]string{
		filepath.Join(std, "time.go"):           strings.Replace(string(raw), nowBefore, nowAfter, 1),
		filepath.Join(std, "jump.go"):           jumpSource,
		filepath.Join(command, "chaosclock.go"): watchSource,
	} {
		replace[at] = filepath.Join(dir, "overlay-"+filepath.Base(at))
		if err := os.WriteFile(replace[at], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, overlay, 0o600)
}

// buildWithClock builds a node whose clock can be moved; if that cannot be done, an ordinary one, with the reason.
func buildWithClock(t *testing.T) (bin string, reason error) {
	t.Helper()
	if *binary != "" {
		return *binary, errors.New("-chaos.bin names what is tested")
	}
	dir := t.TempDir()
	overlay, err := clockOverlay(dir)
	if err != nil {
		return build(t), err
	}
	bin = filepath.Join(dir, "ostraka")
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", bin, "../cmd/ostraka").CombinedOutput(); err != nil {
		return build(t), fmt.Errorf("build: %w: %s", err, out)
	}
	return bin, nil
}

// jumps are how far clocks jump, forward or back.
var jumps = []time.Duration{300 * time.Millisecond, 4 * time.Second, 90 * time.Second, 2 * time.Hour, 400 * 24 * time.Hour}

// jump moves the node's clock, on top of where it was moved already.
func (n *node) jump(by time.Duration) error {
	n.clock.Add(int64(by))
	return n.setClock()
}

func (n *node) setClock() error {
	name := n.clockFile()
	if err := os.WriteFile(name+".new", []byte(strconv.FormatInt(n.clock.Load(), 10)), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func (n *node) clockFile() string { return n.logFile + ".clock" }

// off asks a node how far its clock is from ours.
func (n *node) off(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	got, err := clusterpb.NewClusterClient(n.dial()).GetCluster(ctx, &clusterpb.GetClusterRequest{})
	if err != nil {
		return 0, err
	}
	for _, p := range got.GetPeers() {
		if p.GetName() == n.name { // it saw itself just now
			return time.UnixMilli(p.GetLastSeenUnixMs()).Sub(time.Now()), nil
		}
	}
	return 0, fmt.Errorf("%s does not know itself", n.name)
}

// TestClocksOfNodesCanBeMoved makes sure that the fault is one.
func TestClocksOfNodesCanBeMoved(t *testing.T) {
	bin, reason := buildWithClock(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if reason != nil {
		t.Skip(reason)
	}
	n := newNodes(t, 1)[0]
	must(t, n.start(bin))
	allReady(ctx, t, []*node{n})
	sum := time.Duration(0)
	for _, by := range append(jumps, -jumps[3], -jumps[4], -3*jumps[4]) {
		sum += by
		must(t, n.jump(by))
		eventually(ctx, t, fmt.Sprintf("the clock is off by %s", sum), func() error {
			got, err := n.off(ctx)
			if err == nil && (got-sum).Abs() > 2*time.Second {
				err = fmt.Errorf("off by %s", got)
			}
			return err
		})
	}
}
