package provider_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/provider"
)

const docsAddress = "ostraka_collection.docs"

// stage is a cluster, the official client to disturb it with, and the steps that Terraform makes on it.
type stage struct {
	t         *testing.T
	endpoints []string
	outsider  *qdrant.Client
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return newStageOn(t, startCluster(t))
}

func newStageOn(t *testing.T, endpoints []string) *stage {
	t.Helper()
	s := &stage{t: t, endpoints: endpoints}
	t.Setenv("TF_ACC_PROVIDER_NAMESPACE", "ostraka") // the examples say source = "ostraka/ostraka"
	host, port, err := net.SplitHostPort(s.endpoints[len(s.endpoints)-1])
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	s.outsider, err = qdrant.NewClient(&qdrant.Config{Host: host, Port: number, SkipCompatibilityCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.outsider.Close() })
	return s
}

// run makes the steps; at the end every collection must be gone.
func (s *stage) run(steps []resource.TestStep, checks ...tfversion.TerraformVersionCheck) {
	s.t.Helper()
	resource.Test(s.t, resource.TestCase{
		ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){
			"ostraka": providerserver.NewProtocol6WithError(provider.New("test")()),
		},
		TerraformVersionChecks: checks,
		Steps:                  steps,
		CheckDestroy: func(*terraform.State) error {
			names, err := s.outsider.ListCollections(context.Background())
			if err == nil && len(names) > 0 {
				return fmt.Errorf("still there: %s", names)
			}
			return err
		},
	})
}

// update changes a collection behind Terraform's back, through another node than the provider talks to.
func (s *stage) update(r *qdrant.UpdateCollection) func() {
	return func() {
		r.CollectionName = "docs"
		if err := s.outsider.UpdateCollection(context.Background(), r); err != nil {
			s.t.Fatalf("update by the outsider: %v", err)
		}
	}
}

func (s *stage) drop() {
	if err := s.outsider.DeleteCollection(context.Background(), "docs"); err != nil {
		s.t.Fatalf("delete by the outsider: %v", err)
	}
}

// docs declares a collection; extra is more HCL of it.
func docs(extra string) string {
	return fmt.Sprintf(`
resource "ostraka_collection" "docs" {
  name    = "docs"
  vectors = { v = { size = 8, distance = "Cosine", hnsw = { m = 8 } } }
  %s
}`, extra)
}

const replicated = `
  shard_number       = 2
  replication_factor = 2
  write_consistency  = "quorum"
  metadata           = { owner = "search" }

  read_fan_out_delay_ms = 50

  optimizers         = { max_segment_size = 1000, max_optimization_threads = 2 }
`

func action(a plancheck.ResourceActionType, more ...plancheck.PlanCheck) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: append(more, plancheck.ExpectResourceAction(docsAddress, a))}
}

func TestAccCreateChangeInPlaceReplaceAndImport(t *testing.T) {
	s := newStage(t)
	s.run([]resource.TestStep{
		{Config: docs(""), ConfigPlanChecks: action(plancheck.ResourceActionCreate),
			Check: resource.ComposeAggregateTestCheckFunc(
				resource.TestCheckResourceAttr(docsAddress, "shard_number", "3"),
				resource.TestCheckResourceAttr(docsAddress, "write_consistency_factor", "1"),
			)},
		{ImportState: true, ImportStateId: "docs", ResourceName: docsAddress, ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "name"},
		{Config: docs(`replication_factor = 3
  write_consistency  = "strong"
  on_disk_payload    = false
  hnsw               = { ef_construct = 200 }
  optimizers         = { flush_interval_sec = 7 }
  metadata           = { a = "b" }`), ConfigPlanChecks: action(plancheck.ResourceActionUpdate),
			Check: resource.TestCheckResourceAttr(docsAddress, "write_consistency_factor", "3")},
		{Config: docs(`replication_factor = 2
  write_consistency  = "quorum"`), ConfigPlanChecks: action(plancheck.ResourceActionUpdate),
			Check: resource.ComposeAggregateTestCheckFunc(
				resource.TestCheckResourceAttr(docsAddress, "write_consistency_factor", "2"),
				resource.TestCheckResourceAttr(docsAddress, "on_disk_payload", "true"),
				resource.TestCheckResourceAttr(docsAddress, "metadata.%", "0"),
			)},
		{Config: docs(`shard_number = 2`), ConfigPlanChecks: action(plancheck.ResourceActionUpdate)},
		{Config: strings.Replace(docs(`shard_number = 2`), "size = 8", "size = 9", 1), ConfigPlanChecks: action(plancheck.ResourceActionReplace)},
		{Config: strings.Replace(docs(`shard_number = 2`), "{ v =", "{ w =", 1), ConfigPlanChecks: action(plancheck.ResourceActionUpdate)},
	})
}

func TestAccImportByIdentity(t *testing.T) {
	newStage(t).run([]resource.TestStep{
		{Config: docs("")},
		{ResourceName: docsAddress, ImportState: true, ImportStateKind: resource.ImportBlockWithResourceIdentity},
	}, tfversion.SkipBelow(tfversion.Version1_12_0))
}

// exactly demands that the plan changes these attributes of docs and no others.
type exactly []string

func (e exactly) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	for _, change := range req.Plan.ResourceChanges {
		if change.Address != docsAddress {
			continue
		}
		var got []string
		changes(change.Change.Before, change.Change.After, "", &got)
		slices.Sort(got)
		if !slices.Equal(got, e) {
			resp.Error = fmt.Errorf("the plan changes %q, want %q", got, []string(e))
		}
		return
	}
	resp.Error = fmt.Errorf("the plan does not mention %s", docsAddress)
}

// changes collects the paths of what differs between two JSON values.
func changes(before, after any, at string, out *[]string) {
	a, ok := before.(map[string]any)
	b, okay := after.(map[string]any)
	if !ok || !okay {
		if fmt.Sprint(before) != fmt.Sprint(after) {
			*out = append(*out, strings.TrimPrefix(at, "."))
		}
		return
	}
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	for key := range keys {
		changes(a[key], b[key], at+"."+key, out)
	}
}

func TestAccDriftOfEachAttributeIsShownExactlyAndUndone(t *testing.T) {
	s := newStage(t)
	number, flag := qdrant.PtrOf[uint64], qdrant.PtrOf[bool]
	hnsw := func(h *qdrant.HnswConfigDiff) *qdrant.UpdateCollection {
		return &qdrant.UpdateCollection{HnswConfig: h}
	}
	optimizers := func(o *qdrant.OptimizersConfigDiff) *qdrant.UpdateCollection {
		return &qdrant.UpdateCollection{OptimizersConfig: o}
	}
	params := func(p *qdrant.CollectionParamsDiff) *qdrant.UpdateCollection {
		return &qdrant.UpdateCollection{Params: p}
	}
	vector := func(v *qdrant.VectorParamsDiff) *qdrant.UpdateCollection {
		return &qdrant.UpdateCollection{VectorsConfig: qdrant.NewVectorsConfigDiffMap(map[string]*qdrant.VectorParamsDiff{"v": v})}
	}
	metadata := func(key string, value *qdrant.Value) *qdrant.UpdateCollection {
		return &qdrant.UpdateCollection{Metadata: map[string]*qdrant.Value{key: value}}
	}
	steps := []resource.TestStep{{Config: docs(replicated)}}
	for _, drift := range []struct {
		update *qdrant.UpdateCollection
		shows  exactly
	}{
		{params(&qdrant.CollectionParamsDiff{ReplicationFactor: qdrant.PtrOf[uint32](3)}), exactly{"replication_factor"}},
		{params(&qdrant.CollectionParamsDiff{WriteConsistencyFactor: qdrant.PtrOf[uint32](1)}), exactly{"write_consistency", "write_consistency_factor"}},
		{params(&qdrant.CollectionParamsDiff{ReadFanOutFactor: qdrant.PtrOf[uint32](2)}), exactly{"read_fan_out_factor"}},
		{params(&qdrant.CollectionParamsDiff{ReadFanOutDelayMs: number(77)}), exactly{"read_fan_out_delay_ms"}},
		{params(&qdrant.CollectionParamsDiff{OnDiskPayload: flag(false)}), exactly{"on_disk_payload"}},
		{metadata("owner", qdrant.NewValueString("nobody")), exactly{"metadata.owner"}},
		{metadata("extra", qdrant.NewValueInt(5)), exactly{"metadata.extra"}},
		{metadata("owner", qdrant.NewValueNull()), exactly{"metadata.owner"}},
		{vector(&qdrant.VectorParamsDiff{OnDisk: flag(true)}), exactly{"vectors.v.on_disk"}},
		{vector(&qdrant.VectorParamsDiff{HnswConfig: &qdrant.HnswConfigDiff{M: number(9)}}), exactly{"vectors.v.hnsw.m"}},
		{vector(&qdrant.VectorParamsDiff{HnswConfig: &qdrant.HnswConfigDiff{EfConstruct: number(99)}}), exactly{"vectors.v.hnsw.ef_construct"}},
		{vector(&qdrant.VectorParamsDiff{HnswConfig: &qdrant.HnswConfigDiff{}}), exactly{"vectors.v.hnsw"}},
		{hnsw(&qdrant.HnswConfigDiff{M: number(32)}), exactly{"hnsw.m", "hnsw.payload_m"}},
		{hnsw(&qdrant.HnswConfigDiff{EfConstruct: number(77)}), exactly{"hnsw.ef_construct"}},
		{hnsw(&qdrant.HnswConfigDiff{FullScanThreshold: number(777)}), exactly{"hnsw.full_scan_threshold"}},
		{hnsw(&qdrant.HnswConfigDiff{MaxIndexingThreads: number(2)}), exactly{"hnsw.max_indexing_threads"}},
		{hnsw(&qdrant.HnswConfigDiff{OnDisk: flag(true)}), exactly{"hnsw.on_disk"}},
		{hnsw(&qdrant.HnswConfigDiff{PayloadM: number(7)}), exactly{"hnsw.payload_m"}},
		{optimizers(&qdrant.OptimizersConfigDiff{DeletedThreshold: qdrant.PtrOf(0.7)}), exactly{"optimizers.deleted_threshold"}},
		{optimizers(&qdrant.OptimizersConfigDiff{VacuumMinVectorNumber: number(777)}), exactly{"optimizers.vacuum_min_vector_number"}},
		{optimizers(&qdrant.OptimizersConfigDiff{DefaultSegmentNumber: number(7)}), exactly{"optimizers.default_segment_number"}},
		{optimizers(&qdrant.OptimizersConfigDiff{MaxSegmentSize: number(7)}), exactly{"optimizers.max_segment_size"}},
		{optimizers(&qdrant.OptimizersConfigDiff{MemmapThreshold: number(7)}), exactly{"optimizers.memmap_threshold"}},
		{optimizers(&qdrant.OptimizersConfigDiff{IndexingThreshold: number(7)}), exactly{"optimizers.indexing_threshold"}},
		{optimizers(&qdrant.OptimizersConfigDiff{FlushIntervalSec: number(7)}), exactly{"optimizers.flush_interval_sec"}},
		{optimizers(&qdrant.OptimizersConfigDiff{MaxOptimizationThreads: qdrant.NewMaxOptimizationThreads(7)}), exactly{"optimizers.max_optimization_threads"}},
		{optimizers(&qdrant.OptimizersConfigDiff{PreventUnoptimized: flag(true)}), exactly{"optimizers.prevent_unoptimized"}},
	} {
		steps = append(steps, resource.TestStep{
			PreConfig: s.update(drift.update), Config: docs(replicated),
			ConfigPlanChecks: action(plancheck.ResourceActionUpdate, drift.shows),
		})
	}
	s.run(steps)
}

func TestAccStrictModeComesChangesDriftsAndGoes(t *testing.T) {
	s := newStage(t)
	declared := func() *qdrant.StrictModeConfig {
		info, err := s.outsider.GetCollectionInfo(context.Background(), "docs")
		if err != nil {
			s.t.Fatalf("look by the outsider: %v", err)
		}
		return info.GetConfig().GetStrictModeConfig()
	}
	on := docs("strict_mode = { max_query_limit = 5, unindexed_filtering_retrieve = false, search_max_oversampling = 1.1 }")
	refuses := func(*terraform.State) error { // once that node shows what was declared at another
		for tries := 0; ; tries++ {
			_, err := s.outsider.Query(context.Background(), &qdrant.QueryPoints{CollectionName: "docs", Limit: qdrant.PtrOf(uint64(6))})
			switch {
			case err != nil && strings.Contains(err.Error(), "max_query_limit allows 5"):
				return nil
			case tries == 300:
				return fmt.Errorf("a query beyond the limit is not refused for it: %w", err)
			}
			<-time.After(100 * time.Millisecond)
		}
	}
	s.run([]resource.TestStep{
		{Config: docs("")},
		{Config: on, ConfigPlanChecks: action(plancheck.ResourceActionUpdate, exactly{"strict_mode"}), Check: refuses},
		{ImportState: true, ImportStateId: "docs", ResourceName: docsAddress, ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "name"},
		{Config: docs("strict_mode = { max_query_limit = 5, max_timeout = 9 }"),
			ConfigPlanChecks: action(plancheck.ResourceActionUpdate, exactly{"strict_mode.max_timeout", "strict_mode.search_max_oversampling", "strict_mode.unindexed_filtering_retrieve"}),
			Check:            refuses},
		{PreConfig: s.update(&qdrant.UpdateCollection{StrictModeConfig: &qdrant.StrictModeConfig{MaxTimeout: qdrant.PtrOf(uint32(10)), MaxPointsCount: qdrant.PtrOf(uint64(1))}}),
			Config:           docs("strict_mode = { max_query_limit = 5, max_timeout = 9 }"),
			ConfigPlanChecks: action(plancheck.ResourceActionUpdate, exactly{"strict_mode.max_points_count", "strict_mode.max_timeout"})},
		{Config: docs(""), ConfigPlanChecks: action(plancheck.ResourceActionUpdate, exactly{"strict_mode"}), Check: func(*terraform.State) error {
			if d := declared(); d.GetEnabled() || d.MaxQueryLimit != nil || d.MaxTimeout != nil || d.MaxPointsCount != nil {
				return fmt.Errorf("left behind: %v", d)
			}
			return nil
		}},
		{Config: on, Taint: []string{docsAddress}, ConfigPlanChecks: action(plancheck.ResourceActionReplace), Check: refuses}, // created with it
	})
}

// What no update can change, an outsider changes by deleting the collection and creating another.
func TestAccDriftOfWhatCannotChangeInPlaceReplaces(t *testing.T) {
	s := newStage(t)
	recreate := func(size uint64, distance qdrant.Distance, shards uint32) func() {
		return func() {
			s.drop()
			err := s.outsider.CreateCollection(context.Background(), &qdrant.CreateCollection{
				CollectionName: "docs", ShardNumber: qdrant.PtrOf(shards), VectorsConfig: qdrant.NewVectorsConfigMap(map[string]*qdrant.VectorParams{
					"v": {Size: size, Distance: distance, HnswConfig: &qdrant.HnswConfigDiff{M: qdrant.PtrOf[uint64](8)}},
				}),
			})
			if err != nil {
				s.t.Fatalf("create by the outsider: %v", err)
			}
		}
	}
	config := docs("shard_number = 2")
	steps := []resource.TestStep{{Config: config}}
	for _, drift := range []struct {
		make  func()
		shows exactly
	}{
		{recreate(9, qdrant.Distance_Cosine, 2), exactly{"vectors.v.size"}},
		{recreate(8, qdrant.Distance_Dot, 2), exactly{"vectors.v.distance"}},
	} {
		steps = append(steps, resource.TestStep{
			PreConfig: drift.make, Config: config, ConfigPlanChecks: action(plancheck.ResourceActionReplace, drift.shows),
		})
	}
	s.run(steps)
}

func TestAccACollectionThatIsGoneIsCreatedAgain(t *testing.T) {
	s := newStage(t)
	s.run([]resource.TestStep{
		{Config: docs("")},
		{PreConfig: s.drop, Config: docs(""), ConfigPlanChecks: action(plancheck.ResourceActionCreate)},
	})
}

func TestAccDeletionProtectionFailsThePlan(t *testing.T) {
	s := newStage(t)
	protected := docs("deletion_protection = true")
	s.run([]resource.TestStep{
		{Config: protected},
		{Config: protected, Destroy: true, ExpectError: regexp.MustCompile("protected against deletion")},
		{Config: strings.Replace(protected, "Cosine", "Dot", 1), ExpectError: regexp.MustCompile("protected against replacement")},
		{Config: docs(""), ConfigPlanChecks: action(plancheck.ResourceActionUpdate, exactly{"deletion_protection"})},
	})
}

func TestAccAPlanThatTheClusterCannotFulfilFails(t *testing.T) {
	newStage(t).run([]resource.TestStep{
		{Config: docs("replication_factor = 4"), ExpectError: regexp.MustCompile("(Replicas exceed peers|More replicas than peers)")},
		{Config: docs("replication_factor = 2\n write_consistency_factor = 3"), ExpectError: regexp.MustCompile("More acknowledgements than replicas")},
		{Config: docs("replication_factor = 3")},
	})
}

func TestAccAnExistingCollectionGivesTheImportLine(t *testing.T) {
	s := newStage(t)
	s.run([]resource.TestStep{
		{Config: docs("")},
		{Config: docs("") + strings.Replace(docs(""), `"docs" {`, `"again" {`, 1), ExpectError: regexp.MustCompile(`terraform\s+import\s+ostraka_collection`)},
		{Config: docs("")},
	})
}

// Every example is applied as it stands, but for the addresses of the cluster.
func TestAccEveryExampleApplies(t *testing.T) {
	files, err := filepath.Glob("../examples/*/*/*.tf")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "../examples/provider/provider.tf", "../examples/quickstart/main.tf")
	endpoints := regexp.MustCompile(`(?m)^\s*endpoints = \["127.*$`)
	for _, file := range files {
		if strings.Contains(filepath.Base(file), "import-") || strings.Contains(file, "/modules/") {
			continue // with the resource that it imports, below; by TestAccModules
		}
		t.Run(strings.TrimPrefix(file, "../examples/"), func(t *testing.T) {
			if strings.Contains(file, "/actions/") && strings.Contains(filepath.Base(os.Getenv("TF_ACC_TERRAFORM_PATH")), "tofu") {
				t.Skip("OpenTofu has no actions")
			}
			s := newStage(t)
			s.run([]resource.TestStep{{Config: endpoints.ReplaceAllString(example(t, file), "")}}, since(file))
		})
	}
}

// since is the version that an example needs.
func since(file string) tfversion.TerraformVersionCheck {
	if strings.Contains(file, "/actions/") {
		return tfversion.SkipBelow(tfversion.Version1_14_0)
	}
	return tfversion.SkipBelow(tfversion.Version1_8_0)
}

func TestAccTheImportExampleAdoptsACollection(t *testing.T) {
	s := newStage(t)
	config := example(t, "../examples/resources/ostraka_collection/resource.tf")
	forget := "removed {\n  from = ostraka_collection.docs\n  lifecycle { destroy = false }\n}\n"
	s.run([]resource.TestStep{
		{Config: config},
		{Config: forget},
		{Config: config + example(t, "../examples/resources/ostraka_collection/import-by-string-id.tf"),
			ConfigPlanChecks: action(plancheck.ResourceActionUpdate, exactly{"write_consistency"})}, // a word that the cluster does not know
	}, tfversion.SkipBelow(tfversion.Version1_7_0))
}

func example(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
