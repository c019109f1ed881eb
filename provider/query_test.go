package provider_test

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

// What a query gives is whole: as configuration it plans no change.
func TestWhatIsListedPlansNoChange(t *testing.T) {
	w := newWorld(t, 3, prototest.Config{"plan_checks": "off"})
	collections := driftConfig()
	w.apply(t, nil, collections)
	w.apply(t, nil, prototest.Config{"name": "keyed", "vectors": prototest.Config{}, "sparse_vectors": prototest.Config{"s": prototest.Config{}}, "sharding_method": "custom"})
	w.applyOf(t, aliasType, nil, live("docs"))
	w.applyOf(t, indexType, nil, prototest.Config{"collection": "docs", "field": "city", "text": prototest.Config{"stopwords": []any{"english"}}})
	w.applyOf(t, indexType, nil, prototest.Config{"collection": "docs", "field": "n", "integer": prototest.Config{"range": false}})
	w.applyOf(t, keyType, nil, prototest.Config{"collection": "keyed", "key": "eu", "placement": []any{1001}})
	w.applyOf(t, keyType, nil, prototest.Config{"collection": "keyed", "key_number": 7, "shards_number": 2})
	w.cluster.EditPeer("n2", func(p *clusterpb.Peer) { p.Labels = map[string]string{"rack": "1"} })
	for typ, want := range map[string][]string{
		collectionType: {"docs", "keyed"}, aliasType: {"live"}, indexType: {"docs/city", "docs/n"}, keyType: {"keyed/eu", "keyed/7"}, peerType: {"n1", "n2", "n3"},
	} {
		listed, diags := w.List(t, typ, nil, 0)
		wantEqual(t, typ+": errors", diags.Errors(), nil)
		var names []string
		for _, one := range listed {
			names = append(names, one.Name)
			w.mustBeSettledOf(t, typ, one.Resource, w.ConfigOf(t, typ, one.Resource.State))
		}
		wantEqual(t, typ, names, want)
		one, _ := w.List(t, typ, nil, 1)
		if len(one) != 1 {
			t.Errorf("%s: %d of at most one", typ, len(one))
		}
	}
	for typ, config := range map[string]prototest.Config{
		collectionType: {"name_prefix": "key"}, aliasType: {"name_prefix": "x"}, indexType: {"collection_prefix": "key"}, peerType: {"name_prefix": "n2"},
	} {
		listed, _ := w.List(t, typ, config, 0)
		if want := map[string]int{collectionType: 1, peerType: 1}[typ]; len(listed) != want {
			t.Errorf("%s: %d with %v, want %d", typ, len(listed), config, want)
		}
	}
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/List", Err: status.Error(codes.PermissionDenied, "no")})
	_, diags := w.List(t, collectionType, nil, 0)
	wantOne(t, "denied", diags.Errors(), "Cannot list")
}

func TestACollectionThatVanishesIsNotListed(t *testing.T) {
	w := newWorld(t, 1, nil)
	for _, name := range []string{"a", "b", "c"} {
		w.apply(t, nil, minimal(prototest.Config{"name": name}))
	}
	w.cluster.Inject(fakecluster.Fault{Method: "Collections/Get", Times: 1, Do: func() { w.cluster.Drop("b") }})
	listed, diags := w.List(t, collectionType, nil, 0)
	wantEqual(t, "errors", diags.Errors(), nil)
	var names []string
	for _, one := range listed {
		names = append(names, one.Name)
	}
	wantEqual(t, "names", names, []string{"a", "c"})
}

func TestActionsTellHowFarTheyAre(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.apply(t, nil, minimal(prototest.Config{"shard_number": 4, "replication_factor": 2}))
	w.cluster.Log()
	progress, diags := w.Invoke(t, "ostraka_rebalance", prototest.Config{"collection": "docs"})
	wantEqual(t, "errors", diags.Errors(), nil)
	if !slices.ContainsFunc(progress, func(s string) bool { return s == "rebalance, 2 of 2, since 1970-01-01T00:00:01Z" }) {
		t.Errorf("progress: %q", progress)
	}
	progress, diags = w.Invoke(t, "ostraka_drain", prototest.Config{"peer": "n3"})
	wantEqual(t, "errors", diags.Errors(), nil)
	if len(progress) < 2 {
		t.Errorf("progress: %q", progress)
	}
	wantEqual(t, "log", w.cluster.Log(), []string{"rebalance docs", "peer n3 PEER_STATE_DRAINING"})
	for what, c := range map[string]struct {
		action string
		config prototest.Config
	}{
		"no such collection": {"ostraka_rebalance", prototest.Config{"collection": "nothing"}},
		"no such peer":       {"ostraka_drain", prototest.Config{"peer": "n9"}},
		"no duration":        {"ostraka_drain", prototest.Config{"peer": "n3", "timeout": "soon"}},
	} {
		_, diags := w.Invoke(t, c.action, c.config)
		if len(diags.Errors()) != 1 {
			t.Errorf("%s: %q", what, diags.Errors())
		}
	}
	w.cluster.Freeze(true)
	_, diags = w.Invoke(t, "ostraka_drain", prototest.Config{"peer": "n2", "timeout": "200ms"})
	wantOne(t, "out of time", diags.Errors(), "drain, 0 of")
}
