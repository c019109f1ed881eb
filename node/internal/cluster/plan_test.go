package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
)

// planned asks for a plan and returns it as text.
func (m *managed) planned(req *clusterpb.GetPlanRequest) string {
	m.t.Helper()
	before := m.state
	resp, err := m.service.GetPlan(m.t.Context(), req)
	if err != nil {
		m.t.Fatal(err)
	}
	if m.state != before {
		m.t.Fatal("a plan changed the metadata")
	}
	var b strings.Builder
	for _, s := range resp.GetSteps() {
		fmt.Fprintf(&b, "%s", s.GetKind())
		if s.ShardId != nil {
			fmt.Fprintf(&b, " %s/%d", s.GetCollection(), s.GetShardId())
		}
		fmt.Fprintf(&b, " %d>%d %d: %s\n", s.GetFromPeer(), s.GetToPeer(), s.GetBytes(), s.GetWhy())
	}
	fmt.Fprintf(&b, "bytes %d seconds %d\n", resp.GetBytes(), resp.GetSeconds())
	for _, f := range resp.GetFindings() {
		fmt.Fprintf(&b, "%s %s [%s] %s\n", f.GetSeverity(), f.GetCode(), f.GetField(), f.GetText())
	}
	return b.String()
}

func n(v uint32) *uint32 { return &v }

func ofCollection(c *clusterpb.CollectionChange) *clusterpb.GetPlanRequest {
	return &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Collection{Collection: c}}
}

func ofPeer(c *clusterpb.PeerChange) *clusterpb.GetPlanRequest {
	return &clusterpb.GetPlanRequest{Change: &clusterpb.GetPlanRequest_Peer{Peer: c}}
}

func (m *managed) expect(what string, req *clusterpb.GetPlanRequest, want string) {
	m.t.Helper()
	if got := m.planned(req); got != strings.TrimPrefix(want, "\n") {
		m.t.Errorf("%s:\n%s", what, got)
	}
}

func TestAPlanTellsWhatAChangeOfACollectionLeadsTo(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 2, 2, 1)
	m.bytes[catalog.ShardRef{Collection: 1}], m.bytes[catalog.ShardRef{Collection: 1, Shard: 1}] = 100<<20, 1000<<20
	m.expect("as it is", &clusterpb.GetPlanRequest{}, `
bytes 0 seconds 0
`)
	m.expect("one copy more", ofCollection(&clusterpb.CollectionChange{Collection: "docs", ReplicationFactor: n(3)}), `
add_replica docs/0 0>3 104857600: 2 of 3 declared replicas exist
add_replica docs/1 0>1 1048576000: 2 of 3 declared replicas exist
bytes 1153433600 seconds 6
`)
	m.expect("one less", ofCollection(&clusterpb.CollectionChange{Collection: "docs", ReplicationFactor: n(1)}), `
retire_replica docs/0 2>0 0: only 1 declared
retire_replica docs/1 2>0 0: only 1 declared
drop_replica docs/0 2>0 0: it was retired and counts no more
drop_replica docs/1 2>0 0: it was retired and counts no more
bytes 0 seconds 0
WARNING single_copy [replication_factor] docs is to have one copy: a lost node loses what it held; declare replication_factor 2 or more
`)
	m.expect("more than there are peers", ofCollection(&clusterpb.CollectionChange{Collection: "docs", ReplicationFactor: n(4)}), `
add_replica docs/0 0>3 104857600: 2 of 4 declared replicas exist
add_replica docs/1 0>1 1048576000: 2 of 4 declared replicas exist
bytes 1153433600 seconds 6
ERROR replicas_exceed_peers [replication_factor] docs is to have 4 copies, and 3 peers can hold one each: add peers, or lower replication_factor
`)
	m.expect("a quorum of more than the copies", ofCollection(&clusterpb.CollectionChange{Collection: "docs", WriteConsistencyFactor: n(3)}), `
bytes 0 seconds 0
ERROR quorum_unreachable [write_consistency_factor] a write of docs would need 3 of 2 copies, and could never succeed: declare write_consistency_factor 2 at most
`)
	m.expect("a quorum of more than the peers", ofCollection(&clusterpb.CollectionChange{Collection: "docs", ReplicationFactor: n(5), WriteConsistencyFactor: n(5)}), `
add_replica docs/0 0>3 104857600: 2 of 5 declared replicas exist
add_replica docs/1 0>1 1048576000: 2 of 5 declared replicas exist
bytes 1153433600 seconds 6
ERROR quorum_unreachable [write_consistency_factor] a write of docs needs 5 copies, and 3 peers can hold one: add peers, or lower write_consistency_factor
`)
	m.expect("nonsense", ofCollection(&clusterpb.CollectionChange{Collection: "docs", ReplicationFactor: n(1000)}), `
bytes 0 seconds 0
ERROR refused [replication_factor] the change would be refused: replication_factor must be within 1..64, got 1000
`)
	m.expect("to be created", ofCollection(&clusterpb.CollectionChange{Collection: "new", ShardNumber: n(2), ReplicationFactor: n(2), WriteConsistencyFactor: n(1)}), `
create_shard new/0 0>1 0: new, on node-1, node-3
create_shard new/1 0>2 0: new, on node-2, node-3
bytes 0 seconds 0
`)
	if _, err := m.service.GetPlan(t.Context(), ofCollection(&clusterpb.CollectionChange{Collection: "new", ShardNumber: n(2)})); status.Code(err) != codes.NotFound {
		t.Errorf("half a collection: %v", err)
	}
}

func TestAPlanTellsWhatAChangeOfAPeerLeadsTo(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 2, 2, 1)
	m.create("lone", 1, 1, 1)
	m.expect("drained", ofPeer(&clusterpb.PeerChange{Peer: 3, State: clusterpb.PeerState_PEER_STATE_DRAINING}), `
failover docs/1 3>2 0: node-3, which leads it, is to hold nothing
move_replica docs/1 3>1 0: node-3 is draining
retire_replica docs/1 3>0 0: the copy on node-1 has taken its place
drop_replica docs/1 3>0 0: it was retired and counts no more
bytes 0 seconds 1
WARNING single_copy [replication_factor] lone is to have one copy: a lost node loses what it held; declare replication_factor 2 or more
`)
	if _, err := m.service.GetPlan(t.Context(), ofPeer(&clusterpb.PeerChange{Peer: 9})); status.Code(err) != codes.NotFound {
		t.Errorf("peer 9: %v", err)
	}
}

func TestAPlanTellsWhatIsWrong(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 1, 2, 2)
	m.dead[2] = time.Minute + time.Second/2
	paused := true
	m.must(catalog.Command{UpdateSettings: &catalog.Settings{Paused: &paused}})
	m.expect("a peer is away", &clusterpb.GetPlanRequest{}, `
bytes 0 seconds 0
ERROR quorum_unreachable [] shard 0 of docs: no writes, for too few copies count for the write consistency: node-2 has not answered for 1m0s; bring the peers back
WARNING under_replicated [] shard 0 of docs: fewer copies work than declared: node-2 has not answered for 1m0s; none is made anew elsewhere while the cluster is paused
WARNING paused [] the cluster is paused: nothing but failover is done until `+"`ostraka resume`"+`
`)
	m.dead[2] = time.Hour
	if got := m.planned(&clusterpb.GetPlanRequest{}); !strings.Contains(got, "move_replica docs/0 2>3 0: node-2 has been away for longer than 10m0s") {
		t.Errorf("a peer is away for long:\n%s", got)
	}
	m.bytes[catalog.ShardRef{Collection: 1}] = 900
	m.gauges[3] = peer.Gauge{DiskFree: 950, DiskTotal: 1000}
	if got := m.planned(&clusterpb.GetPlanRequest{}); !strings.Contains(got, "ERROR disk_too_small [replication_factor] shard 0 of docs: no disk has room for another copy (up to 900 bytes") {
		t.Errorf("nothing is planned, and nobody says why:\n%s", got)
	}
	m.dead[2] = time.Minute
	if got := m.planned(&clusterpb.GetPlanRequest{}); strings.Contains(got, "disk_too_small") {
		t.Errorf("it may come back yet:\n%s", got)
	}
}

func TestAPlanTellsOfZonesAndDisksAndFewMembers(t *testing.T) {
	m := newManaged(t, 2)
	m.create("docs", 1, 1, 1)
	m.bytes[catalog.ShardRef{Collection: 1}] = 900
	m.gauges[2] = peer.Gauge{DiskFree: 950, DiskTotal: 1000}
	x := "x"
	for id := range catalog.PeerID(2) {
		m.must(catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: id + 1, Zone: &x}})
	}
	m.expect("one copy more", ofCollection(&clusterpb.CollectionChange{Collection: "docs", ReplicationFactor: n(2)}), `
bytes 0 seconds 0
WARNING zones_too_few [replication_factor] docs is to have 2 copies in 1 zone: the loss of one zone takes several of them; add peers in other zones
ERROR disk_too_small [replication_factor] shard 0 of docs: no disk has room for another copy (up to 900 bytes, and a tenth of each disk, 8 GiB at most, stays free): add peers or enlarge their disks
`)
	m.expect("all", &clusterpb.GetPlanRequest{}, `
bytes 0 seconds 0
WARNING single_copy [replication_factor] docs is to have one copy: a lost node loses what it held; declare replication_factor 2 or more
WARNING two_voters [] the cluster has two members: while either is away, collections cannot change and no primary is replaced; add a third
`)
}

func TestAPlanOfReshardingTellsHowManySlotsMove(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 2, 1, 1)
	m.bytes[catalog.ShardRef{Collection: 1}], m.bytes[catalog.ShardRef{Collection: 1, Shard: 1}] = 2048, 2048
	m.expect("cut anew", ofCollection(&clusterpb.CollectionChange{Collection: "docs", ShardNumber: n(4)}), `
move_slots docs/2 1>3 1024: 1024 slots of shard 0 go to shard 2: 4 shards are declared
move_slots docs/3 2>1 1024: 1024 slots of shard 1 go to shard 3: 4 shards are declared
bytes 2048 seconds 1
WARNING single_copy [replication_factor] docs is to have one copy: a lost node loses what it held; declare replication_factor 2 or more
`)
}

func TestAPlanOfARemovalTellsWhatHasToComeFirst(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 2, 2, 1)
	m.create("lone", 1, 1, 1)
	m.expect("it holds a last copy", ofPeer(&clusterpb.PeerChange{Peer: 1, Remove: true}), `
move_replica lone/0 1>3 0: node-1 is draining
failover docs/0 1>2 0: node-1, which leads it, is to hold nothing
failover lone/0 1>3 0: node-1, which leads it, is to hold nothing
move_replica docs/0 1>3 0: node-1 is draining
retire_replica docs/0 1>0 0: the copy on node-3 has taken its place
retire_replica lone/0 1>0 0: the copy on node-3 has taken its place
drop_replica docs/0 1>0 0: it was retired and counts no more
drop_replica lone/0 1>0 0: it was retired and counts no more
bytes 0 seconds 2
ERROR last_copy [] node-1 holds the last copy that counts of lone/0: drain it first, or say that they may be lost; the steps are those of draining it, which comes first
WARNING single_copy [replication_factor] lone is to have one copy: a lost node loses what it held; declare replication_factor 2 or more
`)
	m.must(catalog.Command{DeleteCollection: new("lone")})
	m.expect("it is up, and leads", ofPeer(&clusterpb.PeerChange{Peer: 3, Remove: true}), `
failover docs/1 3>2 0: node-3, which leads it, is to hold nothing
move_replica docs/1 3>1 0: node-3 is draining
retire_replica docs/1 3>0 0: the copy on node-1 has taken its place
drop_replica docs/1 3>0 0: it was retired and counts no more
bytes 0 seconds 1
ERROR not_drained [] node-3 is up, holds 1 replica and leads 1 of them: `+"`"+`ostraka peer remove`+"`"+` refuses it until it is drained (`+"`"+`ostraka peer drain node-3`+"`"+`); the steps are those of draining it, which comes first
`)
	m.dead[3] = time.Minute
	m.expect("it is away, and others have it all", ofPeer(&clusterpb.PeerChange{Peer: 3, Remove: true}), `
failover docs/1 3>2 0: its primary, peer 3, was removed
drop_replica docs/1 3>0 0: its peer was removed
add_replica docs/1 0>1 0: 1 of 2 declared replicas exist
bytes 0 seconds 1
WARNING under_replicated [] shard 1 of docs: fewer copies work than declared: node-3 has not answered for 59s; made anew elsewhere, where there is a peer for it, once away for 10m0s
WARNING two_voters [] the cluster has two members: while either is away, collections cannot change and no primary is replaced; add a third
`)
	delete(m.dead, 3)
	m.must(catalog.Command{ChangeShard: &catalog.ChangeShard{
		Ref: catalog.ShardRef{Collection: 1, Shard: 1}, Version: 1, Promote: &catalog.Promote{Term: 2, Candidate: 2},
	}})
	m.expect("it is up, and leads nothing", ofPeer(&clusterpb.PeerChange{Peer: 3, Remove: true}), `
add_replica docs/1 0>1 0: 1 of 2 declared replicas exist
drop_replica docs/1 3>0 0: its peer was removed
bytes 0 seconds 1
WARNING not_drained [] node-3 is up and holds 1 replica, to be made anew from other copies once it is removed: drain it first, and they count until others do
WARNING two_voters [] the cluster has two members: while either is away, collections cannot change and no primary is replaced; add a third
`)
	m.voters = map[catalog.PeerID]string{1: "", 2: "", 3: ""}
	m.dead[2] = time.Minute
	m.expect("no majority would be left", ofPeer(&clusterpb.PeerChange{Peer: 3, Remove: true}), `
failover docs/1 2>3 0: its primary, peer 2, is dead
move_replica docs/1 3>1 0: node-3 is draining
failover docs/1 3>1 0: node-3, which leads it, is to hold nothing
retire_replica docs/1 3>0 0: the copy on node-1 has taken its place
drop_replica docs/1 3>0 0: it was retired and counts no more
bytes 0 seconds 1
ERROR last_copy [] node-3 holds the last copy that counts of docs/1: drain it first, or say that they may be lost; the steps are those of draining it, which comes first
WARNING under_replicated [] all 2 shards of docs: fewer copies work than declared: node-2 has not answered for 59s; made anew elsewhere, where there is a peer for it, once away for 10m0s
`)
}

func TestAPlanOfCustomShardingIsOfShardKeys(t *testing.T) {
	m := newManaged(t, 3)
	change := clusterpb.CollectionChange{Collection: "tenants", ShardNumber: n(2), ReplicationFactor: n(2), WriteConsistencyFactor: n(1), CustomSharding: true}
	m.expect("without a key", ofCollection(&change), `
bytes 0 seconds 0
INFO no_shard_keys [] tenants has no shards until it has shard keys: each comes with 2 shards, unless it says otherwise
`)
	change.ShardKey = &clusterpb.ShardKey{Key: &clusterpb.ShardKey_Keyword{Keyword: "a"}}
	m.expect("with its first key", ofCollection(&change), `
create_shard tenants/0 0>1 0: new, of shard key "a", on node-1, node-2
create_shard tenants/1 0>3 0: new, of shard key "a", on node-2, node-3
bytes 0 seconds 0
`)
	change.ReplicationFactor = n(4)
	m.expect("more copies than peers", ofCollection(&change), `
create_shard tenants/0 0>1 0: new, of shard key "a", on node-1, node-2, node-3
create_shard tenants/1 0>2 0: new, of shard key "a", on node-1, node-2, node-3
bytes 0 seconds 0
ERROR replicas_exceed_peers [replication_factor] tenants is to have 4 copies, and 3 peers can hold one each: add peers, or lower replication_factor
`)
}

func TestAPlanTellsOfDisksThatAreTooSmallForAllThatComes(t *testing.T) {
	m := newManaged(t, 3)
	m.create("docs", 4, 1, 1)
	for i := range catalog.ShardID(4) {
		m.bytes[catalog.ShardRef{Collection: 1, Shard: i}] = 4 << 30
	}
	for id := range catalog.PeerID(3) {
		m.gauges[id+1] = peer.Gauge{DiskFree: 16 << 30, DiskTotal: 100 << 30}
	}
	m.gauges[2] = peer.Gauge{DiskFree: 13 << 30, DiskTotal: 100 << 30}
	m.expect("each fits, all do not", ofCollection(&clusterpb.CollectionChange{Collection: "docs", ReplicationFactor: n(3)}), `
add_replica docs/0 0>2 4294967296: 1 of 3 declared replicas exist
add_replica docs/1 0>3 4294967296: 1 of 3 declared replicas exist
add_replica docs/2 0>1 4294967296: 1 of 3 declared replicas exist
add_replica docs/3 0>3 4294967296: 1 of 3 declared replicas exist
add_replica docs/0 0>3 4294967296: 2 of 3 declared replicas exist
add_replica docs/1 0>1 4294967296: 2 of 3 declared replicas exist
add_replica docs/2 0>2 4294967296: 2 of 3 declared replicas exist
add_replica docs/3 0>2 4294967296: 2 of 3 declared replicas exist
bytes 34359738368 seconds 82
ERROR disk_too_small [replication_factor] peer node-2 would need 12.0 GiB more and has 5.0 GiB to spare (13.0 GiB are free, some of which stays so for what is written): enlarge its disk, or add peers
ERROR disk_too_small [replication_factor] peer node-3 would need 12.0 GiB more and has 8.0 GiB to spare (16.0 GiB are free, some of which stays so for what is written): enlarge its disk, or add peers
`)
	m.create("whole", 1, 2, 1)
	m.bytes[catalog.ShardRef{Collection: 2}] = 40 << 30
	m.expect("cut anew", ofCollection(&clusterpb.CollectionChange{Collection: "whole", ShardNumber: n(2)}), `
bytes 0 seconds 0
ERROR disk_too_small [shard_number] whole stays at 1 shard of 2: too few disks have room for another (about 20.0 GiB each): add peers or enlarge their disks
`)
	m.must(catalog.Command{DeleteCollection: new("whole")})
	m.gauges[2], m.gauges[3] = peer.Gauge{DiskFree: 11 << 30, DiskTotal: 100 << 30}, peer.Gauge{DiskFree: 11 << 30, DiskTotal: 100 << 30}
	m.expect("nowhere to go", ofPeer(&clusterpb.PeerChange{Peer: 1, State: clusterpb.PeerState_PEER_STATE_DRAINING}), `
bytes 0 seconds 0
WARNING single_copy [replication_factor] docs is to have one copy: a lost node loses what it held; declare replication_factor 2 or more
ERROR disk_too_small [state] 2 replicas cannot leave node-1: no other disk has room (the largest needs 4.0 GiB): add peers or enlarge their disks
`)
}
