package provider_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

const peerType = "ostraka_peer"

func n3(extra prototest.Config) prototest.Config {
	config := prototest.Config{"name": "n3"}
	for key, value := range extra {
		config[key] = value
	}
	return config
}

func TestAPeerIsAdoptedChangedAndImported(t *testing.T) {
	w := newWorld(t, 3, nil)
	r := w.applyOf(t, peerType, nil, n3(nil))
	for path, want := range map[string]string{"id": "1003", "zone": "zone-3", "state": "active", "labels": "0 items", "on_destroy": "remove"} {
		if got := prototest.Get(r.State, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	w.mustBeSettledOf(t, peerType, r, n3(nil))
	wantEqual(t, "nothing to declare: log", w.cluster.Log(), nil)
	changed := n3(prototest.Config{"zone": "b", "labels": prototest.Config{"rack": "7"}, "state": "maintenance"})
	r = w.applyOf(t, peerType, r, changed)
	w.mustBeSettledOf(t, peerType, r, changed)
	wantEqual(t, "log", w.cluster.Log(), []string{"peer n3 zone b labels map[rack:7] PEER_STATE_MAINTENANCE"})
	r = w.applyOf(t, peerType, r, n3(nil)) // the zone stays as it was declared last
	wantEqual(t, "log", w.cluster.Log(), []string{"peer n3 labels map[] PEER_STATE_ACTIVE"})
	imported, diags := w.Import(t, peerType, "n3")
	wantEqual(t, "errors", diags.Errors(), nil)
	wantEqual(t, "imported differs in", prototest.Diff(r.State, imported.State), nil)
	byIdentity, diags := w.ImportIdentity(t, peerType, map[string]string{"name": "n3"})
	wantEqual(t, "errors", diags.Errors(), nil)
	wantEqual(t, "imported by identity differs in", prototest.Diff(r.State, byIdentity.State), nil)
}

func TestDriftOfAPeer(t *testing.T) {
	w := newWorld(t, 3, nil)
	config := n3(prototest.Config{"zone": "zone-3", "labels": prototest.Config{"a": "b"}})
	r := w.applyOf(t, peerType, nil, config)
	for want, edit := range map[string]func(*clusterpb.Peer){
		"zone":        func(p *clusterpb.Peer) { p.Zone = "elsewhere" },
		`labels["a"]`: func(p *clusterpb.Peer) { p.Labels = map[string]string{"a": "c"} },
		"state":       func(p *clusterpb.Peer) { p.State = clusterpb.PeerState_PEER_STATE_MAINTENANCE },
	} {
		w.cluster.EditPeer("n3", edit)
		seen := w.refreshOf(t, peerType, r)
		wantEqual(t, "changes", w.Plan(t, peerType, seen, config).Changes(), []string{want})
		w.mustBeSettledOf(t, peerType, w.applyOf(t, peerType, seen, config), config)
	}
	w.cluster.EditPeer("n3", func(p *clusterpb.Peer) { p.Id = 77 }) // it has lost its disk and joined again
	seen := w.refreshOf(t, peerType, r)
	wantEqual(t, "changes for another id", w.Plan(t, peerType, seen, config).Changes(), nil)
	for _, code := range []codes.Code{codes.Unavailable, codes.PermissionDenied} {
		w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetCluster", Err: status.Error(code, "injected")})
		if out, diags := w.Refresh(t, peerType, seen); len(diags.Errors()) != 1 || !out.Exists() {
			t.Errorf("%s: errors %q, in the state: %t", code, diags.Errors(), out.Exists())
		}
		w.cluster.Heal()
	}
	w.cluster.Leave("n3")
	seen.Identity = nil
	if gone := w.refreshOf(t, peerType, seen); gone.Exists() {
		t.Error("a peer that left is still in the state")
	}
}

func TestAPeerIsWaitedForUntilItJoins(t *testing.T) {
	w := newWorld(t, 2, nil)
	for patience := 200 * time.Millisecond; ; patience *= 2 { // on a machine that is busy, time may run out before the first answer
		short := n3(prototest.Config{"timeouts": prototest.Config{"create": patience.String()}})
		out, diags := w.Apply(t, w.Plan(t, peerType, w.None(peerType), short))
		if out.Exists() {
			t.Fatal("a peer that did not join is in the state")
		}
		if errs := diags.Errors(); patience < time.Minute && len(errs) == 1 && !strings.Contains(errs[0], "no peer of this name") {
			continue
		}
		wantOne(t, "errors", diags.Errors(), "gave up waiting", "no peer of this name", "(at name)")
		break
	}
	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/GetCluster", Pass: 2, Times: 1, Do: func() { w.cluster.Join() }})
	w.mustBeSettledOf(t, peerType, w.applyOf(t, peerType, nil, n3(nil)), n3(nil))
}

func TestDestroyingAPeerDrainsAndRemovesIt(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.apply(t, nil, minimal(prototest.Config{"shard_number": 4, "replication_factor": 2}))
	r := w.applyOf(t, peerType, nil, n3(nil))
	w.cluster.Log()
	if gone := w.applyOf(t, peerType, r, nil); gone.Exists() {
		t.Error("still in the state")
	}
	wantEqual(t, "log", w.cluster.Log(), []string{"peer n3 PEER_STATE_DRAINING", "remove peer n3"})
	v, _ := w.ReadData(t, "ostraka_collection_placement", prototest.Config{"name": "docs"})
	if got := prototest.Get(v, "under_replicated"); got != "0 items" {
		t.Errorf("under-replicated: %s", got)
	}
	forgotten := prototest.Config{"name": "n4", "on_destroy": "forget"}
	w.applyOf(t, peerType, w.applyOf(t, peerType, nil, forgotten), nil)
	wantEqual(t, "forgetting: log", w.cluster.Log(), nil)
}

func TestADrainThatRunsOutOfTimeIsJoined(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.apply(t, nil, minimal(prototest.Config{"shard_number": 4, "replication_factor": 2}))
	r := w.applyOf(t, peerType, nil, n3(nil))
	w.cluster.Freeze(true)
	draining := n3(prototest.Config{"state": "draining"})
	for patience := 300 * time.Millisecond; ; patience *= 2 { // on a machine that is busy, time may run out before it is known how far the drain is
		brief := n3(prototest.Config{"state": "draining", "timeouts": prototest.Config{"update": patience.String()}})
		var diags prototest.Diagnostics
		r, diags = w.Apply(t, w.Plan(t, peerType, r, brief))
		if errs := diags.Errors(); patience < time.Minute && len(errs) == 1 && !strings.Contains(errs[0], "drain, 0 of 2") {
			continue
		}
		wantOne(t, "errors", diags.Errors(), "drain, 0 of 2")
		break
	}
	r = w.refreshOf(t, peerType, r)
	for path, want := range map[string]string{"state": "draining", "unfinished": "it is being drained, and has 2 replicas left"} {
		if got := prototest.Get(r.State, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	wantEqual(t, "what is left", w.Plan(t, peerType, r, draining).Changes(), []string{"unfinished"})
	wantEqual(t, "what ends it", w.Plan(t, peerType, r, n3(nil)).Changes(), []string{"state", "unfinished"})
	w.cluster.Freeze(false)
	r = w.applyOf(t, peerType, r, draining)
	w.mustBeSettledOf(t, peerType, r, draining)

	w.cluster.Inject(fakecluster.Fault{Method: "Cluster/RemovePeer", Err: status.Error(codes.FailedPrecondition, "it holds the last copy of docs/1"), Times: 1})
	r, diags := w.Apply(t, w.Plan(t, peerType, r, nil))
	wantOne(t, "errors of a removal", diags.Errors(), "the last copy of docs/1")
	if !r.Exists() {
		t.Fatal("a peer that was not removed is gone from the state")
	}
	w.applyOf(t, peerType, r, nil)
}

// With an error in it, a state would be one of a tainted resource, which the next apply replaces: it would remove a peer that is in use.
func TestAPeerThatCannotBeChangedIsNotAdopted(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.apply(t, nil, minimal(prototest.Config{"shard_number": 4, "replication_factor": 2}))
	w.cluster.Log()
	for _, c := range []struct {
		begun  bool
		config prototest.Config
		log    []string
	}{
		{false, n3(prototest.Config{"zone": "b"}), []string{"peer n3 zone b"}},
		{true, n3(prototest.Config{"state": "draining"}), []string{"peer n3 PEER_STATE_DRAINING", "peer n3 PEER_STATE_DRAINING"}},
	} {
		w.cluster.Inject(fakecluster.Fault{Method: "Cluster/UpdatePeer", Err: status.Error(codes.PermissionDenied, "injected"), After: c.begun, Times: 1})
		out, diags := w.Apply(t, w.Plan(t, peerType, w.None(peerType), c.config))
		wantOne(t, "errors", diags.Errors(), "Cannot change peer n3", "injected", "the next apply goes on from there")
		if out.Exists() {
			t.Errorf("it could not become %v, and is in the state", c.config)
		}
		w.mustBeSettledOf(t, peerType, w.applyOf(t, peerType, nil, c.config), c.config)
		wantEqual(t, "log", w.cluster.Log(), c.log)
	}
}

func TestAPlainQdrantHasNoPeers(t *testing.T) {
	cluster, err := fakecluster.OpenPlain(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w := newWorldOf(t, cluster)
	_, diags := w.Apply(t, w.Plan(t, peerType, w.None(peerType), n3(nil)))
	wantOne(t, "errors", diags.Errors(), "Not an Ostraka cluster")
}
