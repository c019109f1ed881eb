package cluster_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
)

func TestWhatIsDeclaredIsAnEvent(t *testing.T) {
	m := newManaged(t, 2)
	m.create("docs", 1, 1, 1)
	draining, zone, off := catalog.Draining, "x", false
	for _, c := range []struct {
		cmd  catalog.Command
		want string
	}{
		{catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: 1, State: &draining, Zone: &zone, Labels: &map[string]string{"a": "b"}}}, "[peer_declared info node-1 is to be drained] " +
			"[peer_declared info node-1 is in zone \"x\"] [peer_declared info node-1 has other labels] [operation_began info operation 1 (drain) began]"},
		{catalog.Command{EndOperation: &catalog.EndOperation{ID: 1, State: catalog.Failed, Problem: "why"}}, "[operation_ended warn operation 1 (drain) is failed: why]"},
		{catalog.Command{UpdateSettings: &catalog.Settings{Balance: &off}}, `[settings_changed info the settings are now {"replica_replace_after_seconds":600,"paused":false,` +
			`"transfers_per_peer":2,"transfers_per_cluster":16,"transfer_bytes_per_second":209715200,"balance":false}]`},
	} {
		before := m.state
		m.must(c.cmd)
		got := ""
		for _, e := range cluster.Changes(before, m.state) {
			got += fmt.Sprintf("[%s %s %s] ", e.Kind, e.Severity, e.Text)
		}
		if got != c.want+" " {
			t.Errorf("got %s", got)
		}
	}
}

func TestACollectionThatIsCutAnewIsToldAsEvents(t *testing.T) {
	m := newManaged(t, 2)
	m.create("docs", 1, 1, 1)
	told := func(before *catalog.State) (got []string) {
		for _, e := range cluster.Changes(before, m.state) {
			if e.Collection != "docs" {
				t.Errorf("%+v", e)
			}
			got = append(got, fmt.Sprintf("%s: %s", e.Kind, e.Text))
		}
		return got
	}
	before := m.state
	m.must(catalog.Command{Reshard: &catalog.Reshard{Collection: 1, ShardNumber: 2}})
	got := told(before)
	before = m.state
	m.rest()
	if got = append(got, told(before)...); !slices.Equal(got, []string{
		"operation_began: operation 1 (reshard) began: docs is cut into 2 shards instead of 1",
		"shard_added: shard 1 of docs: it was made, to own some of the slots; node-2 leads it",
		"operation_ended: operation 1 (reshard) is done",
		"slots_moved: shard 1 of docs: it owns 2048 slots more, 2048 of 4096",
	}) {
		t.Errorf("got %q", got)
	}
	before = m.state
	m.must(catalog.Command{Reshard: &catalog.Reshard{Collection: 1, ShardNumber: 1}})
	m.rest()
	if got, want := told(before), []string{
		"operation_began: operation 2 (reshard) began: docs is cut into 1 shard instead of 2", "operation_ended: operation 2 (reshard) is done",
		"slots_moved: shard 0 of docs: it owns 2048 slots more, 4096 of 4096", "shard_dropped: shard 1 of docs: it is gone, its slots belong to others",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
