package provider_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/provider"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

func newWorldOf(t *testing.T, cluster *fakecluster.Cluster) *world {
	t.Helper()
	w := &world{cluster: cluster, Provider: prototest.New(t, provider.New("test"))}
	w.configure(t, nil)
	return w
}

func TestMoreReplicasThanLivingPeers(t *testing.T) {
	config := minimal(prototest.Config{"replication_factor": 3})
	for checks, c := range map[string]struct{ errors, warnings int }{"error": {1, 0}, "warn": {0, 1}, "off": {0, 0}} {
		w := newWorld(t, 3, prototest.Config{"plan_checks": checks})
		w.cluster.SetAlive(2)
		plan := w.Plan(t, collectionType, w.None(collectionType), config)
		errs, warnings := plan.Diagnostics.Errors(), plan.Diagnostics.Warnings()
		if len(errs) != c.errors || len(warnings) != c.warnings {
			t.Errorf("%s: errors %q, warnings %q", checks, errs, warnings)
		}
		for _, text := range append(errs, warnings...) {
			if !strings.Contains(text, "3 replicas of each shard") || !strings.Contains(text, "2 peers are alive") ||
				!strings.Contains(text, "(at replication_factor)") {
				t.Errorf("%s: %s", checks, text)
			}
		}
	}
}

func TestTooFewPeersAreAcceptedWithAWarningWhenChecksAreOff(t *testing.T) {
	w := newWorld(t, 2, prototest.Config{"plan_checks": "off"})
	config := minimal(prototest.Config{"replication_factor": 3, "shard_number": 1})
	r, diags := w.Apply(t, w.Plan(t, collectionType, w.None(collectionType), config))
	wantEqual(t, "errors", diags.Errors(), nil)
	wantOne(t, "warnings", diags.Warnings(), "under-replicated", "2 peers are alive", "shard 0: 3 replicas declared, 2 active")
	w.mustBeSettled(t, r, config)
}

func TestADeadPeerDoesNotBlockUnrelatedChanges(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.apply(t, nil, minimal(prototest.Config{"replication_factor": 3}))
	w.cluster.SetAlive(1)
	w.apply(t, r, minimal(prototest.Config{"replication_factor": 3, "on_disk_payload": false}))
	plan := w.Plan(t, collectionType, r, minimal(prototest.Config{"replication_factor": 2}))
	wantEqual(t, "errors of a shrinking", plan.Diagnostics.Errors(), nil)
	bigger := minimal(prototest.Config{"replication_factor": 3, "shard_number": 9})
	wantOne(t, "errors of a replacement", w.Plan(t, collectionType, r, bigger).Diagnostics.Errors(), "1 peers are alive")
}

func TestOneReplicaIsWarnedOfOncePerCollectionAndOnlyWhenItChanges(t *testing.T) {
	w := newWorld(t, 3, nil)
	plan := w.Plan(t, collectionType, w.None(collectionType), minimal(nil))
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "A lost node loses its data", "(at replication_factor)")
	again := w.Plan(t, collectionType, w.None(collectionType), minimal(nil))
	wantEqual(t, "warnings of a second plan", again.Diagnostics.Warnings(), nil)
	r, _ := w.Apply(t, again)
	w.restart(t, nil)
	unchanged := w.Plan(t, collectionType, r, minimal(nil))
	wantEqual(t, "warnings of an unchanged plan", unchanged.Diagnostics.Warnings(), nil)
	safe := w.Plan(t, collectionType, r, minimal(prototest.Config{"replication_factor": 2}))
	wantEqual(t, "warnings for two replicas", safe.Diagnostics.Warnings(), nil)
}

// A port on which somebody listens and never answers: the worst kind of unreachable.
func TestAnUnreachableClusterIsOneWarningAndNeverAnotherPlan(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	config := minimal(prototest.Config{"replication_factor": 2})
	reached := newWorld(t, 3, nil)
	want := reached.Plan(t, collectionType, reached.None(collectionType), config)

	p := prototest.New(t, provider.New("test"))
	wantEqual(t, "configure", p.Configure(t, prototest.Config{"endpoints": []any{silent.Addr().String()}}).Errors(), nil)
	start := time.Now()
	plan := p.Plan(t, collectionType, p.None(collectionType), config)
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("planning took %s", took)
	}
	wantEqual(t, "errors", plan.Diagnostics.Errors(), nil)
	wantOne(t, "warnings", plan.Diagnostics.Warnings(), "could not be asked")
	wantEqual(t, "plans differ in", prototest.Diff(want.Planned, plan.Planned), nil)
	config["name"] = "other"
	second := p.Plan(t, collectionType, p.None(collectionType), config)
	wantEqual(t, "warnings of another collection", second.Diagnostics.Warnings(), nil)
}

func TestAPlainQdrantIsManagedWithoutPlacement(t *testing.T) {
	cluster, err := fakecluster.OpenPlain()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w := newWorldOf(t, cluster)
	config := minimal(prototest.Config{"replication_factor": 1, "metadata": prototest.Config{"a": "b"}})
	plan := w.Plan(t, collectionType, w.None(collectionType), config)
	wantOne(t, "warnings", keep(plan.Diagnostics.Warnings(), "plain Qdrant"), "not checked")
	r, diags := w.Apply(t, plan)
	wantEqual(t, "errors", diags.Errors(), nil)
	config["on_disk_payload"] = false
	w.mustBeSettled(t, w.apply(t, r, config), config)
	_, diags = w.ReadData(t, "ostraka_cluster", nil)
	wantOne(t, "data source", diags.Errors(), "Not an Ostraka cluster")
}

func TestSettingsThatAreNotManagedAreToldOnce(t *testing.T) {
	w := newWorld(t, 1, nil)
	r := w.apply(t, nil, minimal(nil))
	w.cluster.Edit("docs", func(c *qdrant.CollectionConfig) {
		c.StrictModeConfig = &qdrant.StrictModeConfig{Enabled: qdrant.PtrOf(true)}
	})
	_, diags := w.Refresh(t, collectionType, r)
	wantOne(t, "warnings", diags.Warnings(), "strict_mode_config")
	_, diags = w.Refresh(t, collectionType, r)
	wantEqual(t, "warnings of a second refresh", diags.Warnings(), nil)
}
