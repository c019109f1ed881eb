package provider_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/provider"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

const collectionType = "ostraka_collection"

// world is a configured provider and the fake cluster that it drives.
type world struct {
	*prototest.Provider
	cluster *fakecluster.Cluster
}

func newWorld(t *testing.T, peers int, config prototest.Config) *world {
	t.Helper()
	w := &world{cluster: fakecluster.Start(t, peers), Provider: prototest.New(t, provider.New("test"))}
	w.configure(t, config)
	return w
}

// configure gives the provider the cluster's endpoint and config on top of it.
func (w *world) configure(t *testing.T, config prototest.Config) {
	t.Helper()
	all := prototest.Config{"endpoints": []any{w.cluster.Endpoint()}}
	for key, value := range config {
		all[key] = value
	}
	if errs := w.Configure(t, all).Errors(); len(errs) > 0 {
		t.Fatalf("configure: %s", errs)
	}
}

// restart is the provider process of the next run of the command line: a new one.
func (w *world) restart(t *testing.T, config prototest.Config) {
	t.Helper()
	w.Provider = prototest.New(t, provider.New("test"))
	w.configure(t, config)
}

// apply plans and applies a collection without an error.
func (w *world) apply(t prototest.T, prior *prototest.Resource, config prototest.Config) *prototest.Resource {
	t.Helper()
	return w.applyOf(t, collectionType, prior, config)
}

func (w *world) applyOf(t prototest.T, typ string, prior *prototest.Resource, config prototest.Config) *prototest.Resource {
	t.Helper()
	if prior == nil {
		prior = w.None(typ)
	}
	plan := w.Plan(t, typ, prior, config)
	if errs := plan.Diagnostics.Errors(); len(errs) > 0 {
		t.Fatalf("plan: %s", errs)
	}
	if len(plan.Replace) > 0 {
		t.Fatalf("the plan replaces %s because of %s", typ, plan.Replace)
	}
	out, diags := w.Apply(t, plan)
	if errs := diags.Errors(); len(errs) > 0 {
		t.Fatalf("apply: %s", errs)
	}
	return out
}

// refresh reads a collection without an error.
func (w *world) refresh(t prototest.T, r *prototest.Resource) *prototest.Resource {
	t.Helper()
	return w.refreshOf(t, collectionType, r)
}

func (w *world) refreshOf(t prototest.T, typ string, r *prototest.Resource) *prototest.Resource {
	t.Helper()
	out, diags := w.Refresh(t, typ, r)
	if errs := diags.Errors(); len(errs) > 0 {
		t.Fatalf("refresh: %s", errs)
	}
	return out
}

// mustBeSettled demands that a refresh and a plan of a collection find nothing to do.
func (w *world) mustBeSettled(t prototest.T, r *prototest.Resource, config prototest.Config) {
	t.Helper()
	w.mustBeSettledOf(t, collectionType, r, config)
}

func (w *world) mustBeSettledOf(t prototest.T, typ string, r *prototest.Resource, config prototest.Config) {
	t.Helper()
	seen := w.refreshOf(t, typ, r)
	if drift := prototest.Diff(r.State, seen.State); len(drift) > 0 {
		t.Fatalf("a refresh right after an apply changes %s", drift)
	}
	plan := w.Plan(t, typ, seen, config)
	if errs := plan.Diagnostics.Errors(); len(errs) > 0 {
		t.Fatalf("plan: %s", errs)
	}
	if changes := plan.Changes(); len(changes) > 0 {
		t.Fatalf("a plan right after an apply changes %s", changes)
	}
}

// minimal declares as little as possible, and what is in extra.
func minimal(extra prototest.Config) prototest.Config {
	config := prototest.Config{
		"name":    "docs",
		"vectors": prototest.Config{"": prototest.Config{"size": 4, "distance": "Cosine"}},
	}
	for key, value := range extra {
		config[key] = value
	}
	return config
}

func wantEqual(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func wantOne(t *testing.T, what string, got []string, parts ...string) {
	t.Helper()
	if len(got) != 1 {
		t.Fatalf("%s: want one, got %q", what, got)
	}
	for _, part := range parts {
		if !strings.Contains(got[0], part) {
			t.Errorf("%s: %q does not say %q", what, got[0], part)
		}
	}
}
