package provider_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

func (s *stage) clusterService() clusterpb.ClusterClient {
	return clusterpb.NewClusterClient(s.outsider.GetConnection())
}

const nodeAddress, keyAddress = "ostraka_peer.node", "ostraka_shard_key.eu"

func at(address string, a plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, a)}}
}

func node(extra string) string {
	return `resource "ostraka_peer" "node" {
  name       = "node-2"
  on_destroy = "forget"
  ` + extra + `
}`
}

func TestAccPeerAdoptChangeDriftAndImport(t *testing.T) {
	s := newStage(t)
	relabel := func() {
		cluster, err := s.clusterService().GetCluster(context.Background(), &clusterpb.GetClusterRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range cluster.GetPeers() {
			if p.GetName() == "node-2" {
				_, err = s.clusterService().UpdatePeer(context.Background(), &clusterpb.UpdatePeerRequest{
					Peer: p.GetId(), Labels: &clusterpb.LabelMap{Labels: map[string]string{"rack": "9"}},
				})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(path, value string) resource.TestCheckFunc {
		return resource.TestCheckResourceAttr(nodeAddress, path, value)
	}
	s.run([]resource.TestStep{
		{Config: node(""), ConfigPlanChecks: at(nodeAddress, plancheck.ResourceActionCreate), Check: is("state", "active")},
		{Config: node(`labels = { rack = "7" }`), ConfigPlanChecks: at(nodeAddress, plancheck.ResourceActionUpdate), Check: is("labels.rack", "7")},
		{ResourceName: nodeAddress, ImportState: true, ImportStateId: "node-2", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "name",
			ImportStateVerifyIgnore: []string{"on_destroy"}},
		{PreConfig: relabel, Config: node(`labels = { rack = "7" }`), ConfigPlanChecks: at(nodeAddress, plancheck.ResourceActionUpdate), Check: is("labels.rack", "7")},
		{Config: node(`state = "maintenance"`), ConfigPlanChecks: at(nodeAddress, plancheck.ResourceActionUpdate), Check: is("state", "maintenance")},
		{Config: node(""), Check: is("state", "active")},
	})
}

func customers(extra string) string {
	return `
resource "ostraka_collection" "docs" {
  name            = "docs"
  vectors         = { "" = { size = 4, distance = "Dot" } }
  sharding_method = "custom"
}
data "ostraka_cluster" "all" {}
resource "ostraka_shard_key" "eu" {
  collection = ostraka_collection.docs.name
  key        = "eu"
  ` + extra + `
}`
}

// onNode is a placement on one node; which id it has, the cluster tells.
func onNode(number string) string {
	return `placement = [for p in data.ostraka_cluster.all.peers : p.id if p.name == "node-` + number + `"]`
}

// keyOn checks that all copies of the key's shards are on one node.
func (s *stage) keyOn(name string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		cluster, err := s.clusterService().GetCluster(context.Background(), &clusterpb.GetClusterRequest{})
		if err != nil {
			return err
		}
		placement, err := s.clusterService().GetPlacement(context.Background(), &clusterpb.GetPlacementRequest{Collections: []string{"docs"}})
		if err != nil {
			return err
		}
		for _, p := range cluster.GetPeers() {
			for _, shard := range placement.GetCollections()[0].GetShards() {
				for _, r := range shard.GetReplicas() {
					if r.GetPeer() == p.GetId() && p.GetName() != name {
						return fmt.Errorf("%v is on %s", shard, p.GetName())
					}
				}
			}
		}
		return nil
	}
}

func TestAccShardKeyCreateChangeDriftAndImport(t *testing.T) {
	s := newStage(t)
	remove := func() {
		if err := s.outsider.DeleteShardKey(context.Background(), "docs", &qdrant.DeleteShardKey{ShardKey: qdrant.NewShardKey("eu")}); err != nil {
			t.Fatal(err)
		}
	}
	recut := func() {
		eu := &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "eu"}}
		if _, err := s.clusterService().Reshard(context.Background(), &clusterpb.ReshardRequest{Collection: "docs", ShardKey: eu, ShardNumber: 2}); err != nil {
			t.Fatal(err)
		}
	}
	scatter := func() {
		eu := &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "eu"}}
		two := uint32(2)
		if _, err := s.clusterService().UpdateShardKey(context.Background(), &clusterpb.UpdateShardKeyRequest{
			Collection: "docs", ShardKey: eu, ReplicationFactor: &two, Placement: &clusterpb.PeerSet{},
		}); err != nil {
			t.Fatal(err)
		}
	}
	is := func(path, value string) resource.TestCheckFunc {
		return resource.TestCheckResourceAttr(keyAddress, path, value)
	}
	s.run([]resource.TestStep{
		{Config: customers("shards_number = 1"), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionCreate), Check: is("replication_factor", "1")},
		{ResourceName: keyAddress, ImportState: true, ImportStateId: "docs/eu", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "key"},
		{Config: customers("shards_number = 3"), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionUpdate), Check: is("shards_number", "3")},
		{PreConfig: recut, Config: customers("shards_number = 3"), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionUpdate), Check: is("shards_number", "3")},
		{Config: customers("shards_number = 1"), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionUpdate), Check: is("shards_number", "1")},
		{PreConfig: remove, Config: customers("shards_number = 3"), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionCreate)},
		{Config: customers("shards_number = 3\n replication_factor = 2"), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionUpdate), Check: is("replication_factor", "2")},
		{Config: customers("shards_number = 2\n replication_factor = 1\n" + onNode("3")), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionUpdate),
			Check: resource.ComposeAggregateTestCheckFunc(is("replication_factor", "1"), is("placement.#", "1"), is("shards_number", "2"), s.keyOn("node-3"))},
		{PreConfig: scatter, Config: customers("shards_number = 2\n replication_factor = 1\n" + onNode("3")), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionUpdate),
			Check: resource.ComposeAggregateTestCheckFunc(is("placement.#", "1"), s.keyOn("node-3"))},
		{Config: customers("shards_number = 2\n replication_factor = 2"), ConfigPlanChecks: at(keyAddress, plancheck.ResourceActionUpdate), Check: is("placement.#", "0")},
	})
}
