package provider_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// Nodes of ours that do not serve ostraka.cluster.v1 look like a plain Qdrant.
func TestAccWithoutTheClusterService(t *testing.T) {
	if os.Getenv("TF_ACC") == "" {
		t.Skip("an acceptance test: set TF_ACC=1 to run it")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cluster, err := devcluster.Start(ctx, devcluster.Options{Nodes: 3, Dir: t.TempDir(), NoClusterService: true})
	if err != nil {
		t.Fatalf("start three nodes: %v", err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Errorf("close the nodes: %v", err)
		}
	})
	t.Setenv("OSTRAKA_ENDPOINTS", strings.Join(cluster.Endpoints(), ","))
	s := newStageOn(t, cluster.Endpoints())
	s.run([]resource.TestStep{
		{Config: docs("shard_number = 2"), ConfigPlanChecks: action(plancheck.ResourceActionCreate)},
		{Config: docs("shard_number = 2\n replication_factor = 3\n write_consistency = \"quorum\""), ConfigPlanChecks: action(plancheck.ResourceActionUpdate)},
		{Config: docs("shard_number = 2\n replication_factor = 2"), ConfigPlanChecks: action(plancheck.ResourceActionUpdate)},
		{Config: docs("shard_number = 3\n replication_factor = 2"), ConfigPlanChecks: action(plancheck.ResourceActionReplace)},
	})
}
