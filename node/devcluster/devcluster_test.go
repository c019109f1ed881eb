package devcluster_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWrongOptionsAreRefused(t *testing.T) {
	for name, opts := range map[string]devcluster.Options{
		"negative": {Nodes: -1}, "too many": {Nodes: devcluster.MaxNodes + 1}, "ports end": {Nodes: 3, BasePort: 65530},
	} {
		c, err := devcluster.Start(t.Context(), opts)
		if err == nil {
			_ = c.Close()
		}
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, want Invalid", name, err)
		}
	}
}

func TestNodesCanLeaveComeBackAndJoinAndCloseLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c, err := devcluster.Start(t.Context(), devcluster.Options{Nodes: 2})
	if err != nil {
		t.Fatal(err)
	}
	added, err := c.AddNode(t.Context())
	if err != nil || added != 2 || c.Nodes() != 3 || len(c.Endpoints()) != 3 || len(c.HTTPAddresses()) != 3 {
		t.Errorf("added node %d of %d: %v", added, c.Nodes(), err)
	}
	if err := c.WipeNode(1); !fault.Is(err, fault.FailedPrecondition) {
		t.Errorf("wiping a node that runs: %v, want FailedPrecondition", err)
	}
	if err := c.StopNode(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := c.StartNode(t.Context(), 1); err != nil {
		t.Error(err)
	}
	for _, err := range []error{c.StopNode(t.Context(), 9), c.StartNode(t.Context(), -1)} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("a node that does not exist: %v, want NotFound", err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
