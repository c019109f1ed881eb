package provider_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// startCluster returns the endpoints of three real nodes that live as long as the test. Without TF_ACC the acceptance
// tests skip themselves, and there are none.
func startCluster(t *testing.T) []string {
	t.Helper()
	if os.Getenv("TF_ACC") == "" {
		return []string{"127.0.0.1:1"}
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
	return cluster.Endpoints()
}
