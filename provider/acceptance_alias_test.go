package provider_test

import (
	"context"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
)

const liveAddress = "ostraka_alias.live"

// blueGreen declares two collections and an alias of one of them.
func blueGreen(live string) string {
	return `
resource "ostraka_collection" "blue" {
  name         = "docs-blue"
  vectors      = { "" = { size = 4, distance = "Dot" } }
  shard_number = 1
}
resource "ostraka_collection" "green" {
  name         = "docs-green"
  vectors      = { "" = { size = 8, distance = "Dot" } }
  shard_number = 1
}
resource "ostraka_alias" "live" {
  name       = "live"
  collection = ostraka_collection.` + live + `.name
}
`
}

func liveAction(a plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(liveAddress, a)}}
}

func TestAccAliasCreateSwapDriftAndImport(t *testing.T) {
	s := newStage(t)
	move := func() {
		if err := s.outsider.DeleteAlias(context.Background(), "live"); err != nil {
			t.Fatal(err)
		}
		if err := s.outsider.CreateAlias(context.Background(), "live", "docs-blue"); err != nil {
			t.Fatal(err)
		}
	}
	remove := func() {
		if err := s.outsider.DeleteAlias(context.Background(), "live"); err != nil {
			t.Fatal(err)
		}
	}
	leads := func(to string) resource.TestCheckFunc {
		return resource.TestCheckResourceAttr(liveAddress, "collection", to)
	}
	s.run([]resource.TestStep{
		{Config: blueGreen("blue"), ConfigPlanChecks: liveAction(plancheck.ResourceActionCreate), Check: leads("docs-blue")},
		{ResourceName: liveAddress, ImportState: true, ImportStateId: "live", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "name"},
		{Config: blueGreen("green"), ConfigPlanChecks: liveAction(plancheck.ResourceActionUpdate), Check: leads("docs-green")},
		{PreConfig: move, Config: blueGreen("green"), ConfigPlanChecks: liveAction(plancheck.ResourceActionUpdate), Check: leads("docs-green")},
		{PreConfig: remove, Config: blueGreen("green"), ConfigPlanChecks: liveAction(plancheck.ResourceActionCreate), Check: leads("docs-green")},
		{Config: blueGreen("green") + `resource "ostraka_alias" "again" {
  name       = ostraka_alias.live.name
  collection = "docs-blue"
}`, ExpectError: regexp.MustCompile(`terraform\s+import\s+ostraka_alias`)},
		{Config: blueGreen("blue"), Check: leads("docs-blue")},
	})
}

func TestAccAliasImportByIdentity(t *testing.T) {
	newStage(t).run([]resource.TestStep{
		{Config: blueGreen("blue")},
		{ResourceName: liveAddress, ImportState: true, ImportStateKind: resource.ImportBlockWithResourceIdentity},
	}, tfversion.SkipBelow(tfversion.Version1_12_0))
}
