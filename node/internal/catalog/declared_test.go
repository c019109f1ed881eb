package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// declare runs the commands that change how the cluster keeps what is declared. at= is the time.
func (w *world) declare(verb string, plain []string, args map[string]string) string {
	at := number[uint64](args["at"])
	var cmd catalog.Command
	switch verb {
	case "declare": // declare PEER [zone=] [labels=a:b,...] [state=]
		up := &catalog.UpdatePeer{ID: number[catalog.PeerID](plain[0]), At: int64(at)}
		if zone, ok := args["zone"]; ok {
			up.Zone = &zone
		}
		if text, ok := args["labels"]; ok {
			labels := map[string]string{}
			for pair := range strings.SplitSeq(text, ",") {
				if key, value, ok := strings.Cut(pair, ":"); ok {
					labels[key] = value
				}
			}
			up.Labels = &labels
		}
		if text, ok := args["state"]; ok {
			state := catalog.PeerState(text)
			up.State = &state
		}
		cmd.UpdatePeer = up
	case "settings":
		cmd.UpdateSettings = settingsOf(args)
	case "place": // place C/S [from=] [to=] [version=]
		place := &catalog.PlaceShard{From: number[catalog.PeerID](args["from"]), To: number[catalog.PeerID](args["to"]), At: int64(at)}
		fmt.Sscanf(plain[0], "%d/%d", &place.Ref.Collection, &place.Ref.Shard)
		if _, sh, ok := w.state.Shard(place.Ref); ok {
			place.Version = sh.Version
		}
		if v, ok := args["version"]; ok {
			place.Version = number[uint64](v)
		}
		cmd.PlaceShard = place
	case "rebalance": // rebalance [collection=]
		cmd.Rebalance = &catalog.RebalancePeers{Collection: catalog.CollectionID(number[uint64](args["collection"])), At: int64(at)}
	case "end":
		cmd.EndOperation = &catalog.EndOperation{ID: number[catalog.OperationID](plain[0]), State: catalog.OperationState(args["as"]), Problem: args["problem"], At: int64(at)}
	case "cancel":
		cmd.CancelOperation = &catalog.CancelOperation{ID: number[catalog.OperationID](plain[0]), At: int64(at)}
	}
	_, result := catalog.Apply(w.state, cmd)
	out := w.apply(cmd)
	if result.Operation != 0 && out == "ok\n" {
		return fmt.Sprintf("operation %d\n", result.Operation)
	}
	return out
}

func settingsOf(args map[string]string) *catalog.Settings {
	s := &catalog.Settings{}
	for key, value := range args {
		n, small, yes := number[uint64](value), number[uint32](value), value == "yes"
		switch key {
		case "after":
			s.ReplicaReplaceAfterSeconds = &n
		case "paused":
			s.Paused = &yes
		case "per-peer":
			s.TransfersPerPeer = &small
		case "per-cluster":
			s.TransfersPerCluster = &small
		case "bytes":
			s.TransferBytesPerSecond = &n
		case "balance":
			s.Balance = &yes
		}
	}
	return s
}

func TestSettingsHaveDefaults(t *testing.T) {
	var s catalog.Settings
	if s.ReplaceAfter().Minutes() != 10 || s.IsPaused() || s.PerPeer() != 2 || s.PerCluster() != 16 || s.BytesPerSecond() != 200<<20 || !s.Balances() {
		t.Errorf("%+v", s.Effective())
	}
	if e := s.Effective(); e.Effective().String() != e.String() {
		t.Errorf("the defaults of the defaults: %s", e)
	}
}

func TestOperationsThatEndedAreForgottenTheOldestFirst(t *testing.T) {
	s := catalog.Empty()
	apply := func(cmd catalog.Command) catalog.Result {
		next, r := catalog.Apply(s, cmd)
		s = next
		return r
	}
	apply(catalog.Command{RegisterPeer: &catalog.Peer{ID: 1, Name: "a", PeerAddr: "h:1"}})
	first := apply(catalog.Command{Rebalance: &catalog.RebalancePeers{At: 1}})
	apply(catalog.Command{CreateCollection: &catalog.CreateCollection{
		Name: "c", Config: mustNormalize(t), Placement: [][]catalog.PeerID{{1}},
	}})
	for i := range catalog.MaxEndedOperations + 5 {
		r := apply(catalog.Command{Rebalance: &catalog.RebalancePeers{Collection: 1, At: int64(i)}})
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if r := apply(catalog.Command{EndOperation: &catalog.EndOperation{ID: r.Operation, State: catalog.Done, At: int64(i)}}); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	if len(s.Operations) != catalog.MaxEndedOperations+1 || s.Operations[0].ID != first.Operation || s.Operations[1].ID != first.Operation+6 {
		t.Errorf("%d are kept, the first ones are %v, %v", len(s.Operations), s.Operations[0], s.Operations[1])
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func mustNormalize(t *testing.T) catalog.Config {
	t.Helper()
	c, err := catalog.Config{ShardNumber: 1}.Normalized(1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTooManyOperationsAreRefused(t *testing.T) {
	s := catalog.Empty()
	var cmds []catalog.Command
	for i := range catalog.MaxRunningOperations + 1 {
		cmds = append(cmds,
			catalog.Command{CreateCollection: &catalog.CreateCollection{Name: fmt.Sprint("c", i), Config: mustNormalize(t), Placement: [][]catalog.PeerID{{1}}}},
			catalog.Command{Rebalance: &catalog.RebalancePeers{Collection: catalog.CollectionID(i + 1)}})
	}
	s, _ = catalog.Apply(s, catalog.Command{RegisterPeer: &catalog.Peer{ID: 1, Name: "a", PeerAddr: "h:1"}})
	s, results := catalog.ApplyAll(s, cmds)
	if err := results[len(results)-1].Err; err == nil || len(s.Operations) != catalog.MaxRunningOperations {
		t.Errorf("%v, %d operations", err, len(s.Operations))
	}
}
