package provider_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
	"github.com/qdrant/go-client/qdrant"
)

const tenantAddress = "ostraka_payload_index.tenant"

func keywordIndex(collection string, params *qdrant.PayloadIndexParams) *qdrant.CreateFieldIndexCollection {
	return &qdrant.CreateFieldIndexCollection{
		CollectionName: collection, FieldName: "tenant", FieldType: qdrant.FieldType_FieldTypeKeyword.Enum(), FieldIndexParams: params,
	}
}

func tenant(kind string) string {
	return docs("shard_number = 1") + fmt.Sprintf(`
resource "ostraka_payload_index" "tenant" {
  collection = ostraka_collection.docs.name
  field      = "tenant"
  %s
}`, kind)
}

func text(stemmer, stopwords string) string {
	return fmt.Sprintf(`text = { stemmer = %q, stopwords = [%q], custom_stopwords = ["x"] }`, stemmer, stopwords)
}

func tenantAction(a plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(tenantAddress, a)}}
}

func TestAccPayloadIndexCreateChangeDriftAndImport(t *testing.T) {
	s := newStage(t)
	outside := func(do func(ctx context.Context) error) func() {
		return func() {
			if err := do(context.Background()); err != nil {
				t.Fatalf("by the outsider: %v", err)
			}
		}
	}
	change := outside(func(ctx context.Context) error {
		_, err := s.outsider.CreateFieldIndex(ctx, keywordIndex("docs", qdrant.NewPayloadIndexParamsKeyword(&qdrant.KeywordIndexParams{OnDisk: qdrant.PtrOf(true)})))
		return err
	})
	remove := outside(func(ctx context.Context) error {
		_, err := s.outsider.DeleteFieldIndex(ctx, &qdrant.DeleteFieldIndexCollection{CollectionName: "docs", FieldName: "tenant"})
		return err
	})
	is := func(path, value string) resource.TestCheckFunc {
		return resource.TestCheckResourceAttr(tenantAddress, path, value)
	}
	s.run([]resource.TestStep{
		{Config: tenant("keyword = {}"), ConfigPlanChecks: tenantAction(plancheck.ResourceActionCreate), Check: is("keyword.is_tenant", "false")},
		{ResourceName: tenantAddress, ImportState: true, ImportStateId: "docs/tenant", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "field"},
		{Config: tenant("keyword = { is_tenant = true }"), ConfigPlanChecks: tenantAction(plancheck.ResourceActionUpdate), Check: is("keyword.is_tenant", "true")},
		{PreConfig: change, Config: tenant("keyword = { is_tenant = true }"), ConfigPlanChecks: tenantAction(plancheck.ResourceActionUpdate), Check: is("keyword.on_disk", "false")},
		{PreConfig: remove, Config: tenant("keyword = { is_tenant = true }"), ConfigPlanChecks: tenantAction(plancheck.ResourceActionCreate)},
		{Config: tenant("integer = { range = false }"), ConfigPlanChecks: tenantAction(plancheck.ResourceActionUpdate), Check: is("integer.range", "false")},
		{Config: tenant(text("en", "german")), ConfigPlanChecks: tenantAction(plancheck.ResourceActionUpdate), Check: is("text.stemmer", "en")},
		{ResourceName: tenantAddress, ImportState: true, ImportStateId: "docs/tenant", ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "field"},
		{Config: tenant(text("hungarian", "EN")), ConfigPlanChecks: tenantAction(plancheck.ResourceActionUpdate), Check: is("text.stemmer", "hungarian")},
		{Config: tenant(text("greek", "EN")), ExpectError: regexp.MustCompile(`no\s+stemmer\s+for\s+language\s+"greek"`)},
		{Config: docs("shard_number = 1")},
	})
}

func TestAccPayloadIndexImportByIdentity(t *testing.T) {
	s := newStage(t)
	s.run([]resource.TestStep{
		{Config: tenant("bool = {}")},
		{ResourceName: tenantAddress, ImportState: true, ImportStateKind: resource.ImportBlockWithResourceIdentity},
	}, tfversion.SkipBelow(tfversion.Version1_12_0))
}
