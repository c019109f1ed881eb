package cluster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// fakes are the parts of a node that the service asks.
type fakes struct {
	state *catalog.State
	asked []catalog.ShardRef
}

func (f *fakes) Watch() (*catalog.State, <-chan struct{})  { return f.state, nil }
func (f *fakes) Leader() (catalog.PeerID, string)          { return 1, "" }
func (f *fakes) Term() uint64                              { return 3 }
func (f *fakes) AppliedIndex() uint64                      { return 9 }
func (f *fakes) Voters() map[catalog.PeerID]string         { return map[catalog.PeerID]string{1: ""} }
func (f *fakes) Alive(id catalog.PeerID) bool              { return id == 1 }
func (f *fakes) LastSeen(catalog.PeerID) (never time.Time) { return never }

func (f *fakes) Statuses(_ context.Context, refs []catalog.ShardRef) coordinator.Statuses {
	f.asked = refs
	byRef := map[catalog.ShardRef]replica.Status{}
	for _, ref := range refs {
		byRef[ref] = replica.Status{Ref: ref, Generation: 7, Term: 1, Leading: true, Points: 5}
	}
	return coordinator.Statuses{1: byRef}
}

func newService(t *testing.T) (*cluster.Service, *fakes) {
	t.Helper()
	f := &fakes{state: &catalog.State{
		ClusterID: "c", Peers: map[catalog.PeerID]*catalog.Peer{1: {ID: 1, Name: "node-1"}, 2: {ID: 2, Name: "node-2"}},
		Names: map[string]catalog.CollectionID{"b": 2, "a": 1}, Aliases: map[string]catalog.CollectionID{"alias": 2},
		Collections: map[catalog.CollectionID]*catalog.Collection{},
	}}
	for name, id := range f.state.Names {
		f.state.Collections[id] = &catalog.Collection{ID: id, Name: name, Config: catalog.Config{ReplicationFactor: 1, ShardNumber: 1}, Shards: []*catalog.Shard{
			{Term: 1, Primary: 1, WriteQuorum: 1, Replicas: []catalog.Replica{{Peer: 1, Generation: 7}}},
		}}
	}
	s, err := cluster.New(cluster.Options{Self: 1, Version: "1", Metadata: f, Raft: f, Liveness: f, Statuses: f})
	if err != nil {
		t.Fatal(err)
	}
	return s, f
}

func names(resp *clusterpb.GetPlacementResponse) string {
	var list []string
	for _, c := range resp.GetCollections() {
		list = append(list, c.GetCollection())
	}
	return strings.Join(list, " ")
}

func TestPlacementOfTheCollectionsAskedFor(t *testing.T) {
	s, f := newService(t)
	for want, asked := range map[string][]string{"a b": nil, "b": {"alias", "b"}, "a": {"a"}} {
		resp, err := s.GetPlacement(context.Background(), &clusterpb.GetPlacementRequest{Collections: asked})
		if err != nil || names(resp) != want || len(f.asked) != len(resp.GetCollections()) {
			t.Errorf("%v: got %q, %v after asking for %v", asked, names(resp), err, f.asked)
		}
		sh := resp.GetCollections()[0].GetShards()[0]
		if !sh.GetWritable() || sh.GetReplicas()[0].GetPoints() != 5 || sh.GetProblem() != "" {
			t.Errorf("shard %v", sh)
		}
	}
	_, err := s.GetPlacement(context.Background(), &clusterpb.GetPlacementRequest{Collections: []string{"a", "nope"}})
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), "Collection `nope` doesn't exist!") {
		t.Errorf("unknown: %v", err)
	}
}

func TestClusterTellsLivenessAndLeadership(t *testing.T) {
	s, _ := newService(t)
	resp, err := s.GetCluster(context.Background(), &clusterpb.GetClusterRequest{})
	if err != nil || resp.GetClusterId() != "c" || resp.GetLeader() != 1 || resp.GetTerm() != 3 || resp.GetAppliedIndex() != 9 || len(resp.GetPeers()) != 2 {
		t.Fatalf("got %v, %v", resp, err)
	}
	one, two := resp.GetPeers()[0], resp.GetPeers()[1]
	if !one.GetAlive() || !one.GetVoter() || !one.GetLeader() || one.GetReplicas() != 2 || two.GetAlive() || two.GetVoter() {
		t.Errorf("peers %v, %v", one, two)
	}
}

func TestWarningsWithoutStatusesTellOnlyWhatIsKnown(t *testing.T) {
	s, f := newService(t)
	col := f.state.Collections[1]
	want := []string{"replication_factor 1: a lost node loses its data"}
	alive := func(catalog.PeerID) bool { return true }
	if got := cluster.Warnings(f.state, col, cluster.Observations{Now: time.Now(), Alive: alive}); len(got) != 1 || got[0] != want[0] {
		t.Errorf("got %q", got)
	}
	if got := s.Warnings(context.Background(), col); len(got) != 1 || got[0] != want[0] {
		t.Errorf("got %q", got)
	}
}

func TestACollectionIsDeniedOnlyByANodeThatHasCaughtUp(t *testing.T) {
	_, f := newService(t)
	newer := *f.state
	newer.Aliases = map[string]catalog.CollectionID{"late": 2}
	var problem error
	s, err := cluster.New(cluster.Options{
		Self: 1, Version: "1", Metadata: f, Raft: f, Liveness: f, Statuses: f,
		CatchUp: func(context.Context) error { f.state = &newer; return problem },
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string) error {
		_, err := s.GetPlacement(t.Context(), &clusterpb.GetPlacementRequest{Collections: []string{name}})
		return err
	}
	if err := ask("late"); err != nil {
		t.Errorf("the node caught up: %v", err)
	}
	if err := ask("never"); status.Code(err) != codes.NotFound {
		t.Errorf("got %v", err)
	}
	problem = fault.New(fault.Unavailable, "no quorum")
	if err := ask("never"); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}
