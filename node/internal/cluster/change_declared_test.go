package cluster_test

import (
	"fmt"
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
