package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/cluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// scene is what a script builds: metadata, and what one node sees.
type scene struct {
	state  *catalog.State
	col    *catalog.Collection
	silent map[catalog.PeerID]time.Duration // dead for so long; 0 = never seen
	status map[catalog.ShardRef]map[catalog.PeerID]replica.Status
	full   map[catalog.PeerID]bool // no room on their disks
}

var clock = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func newScene() *scene {
	return &scene{
		state:  &catalog.State{Peers: map[catalog.PeerID]*catalog.Peer{}, Collections: map[catalog.CollectionID]*catalog.Collection{}, Names: map[string]catalog.CollectionID{}},
		silent: map[catalog.PeerID]time.Duration{}, status: map[catalog.ShardRef]map[catalog.PeerID]replica.Status{},
		full: map[catalog.PeerID]bool{},
	}
}

func (s *scene) observe() cluster.Observations {
	return cluster.Observations{
		Now:   clock,
		Alive: func(id catalog.PeerID) bool { _, dead := s.silent[id]; return !dead },
		LastSeen: func(id catalog.PeerID) time.Time {
			if d, dead := s.silent[id]; dead && d == 0 {
				return time.Time{}
			}
			return clock.Add(-s.silent[id])
		},
		Gauge: func(id catalog.PeerID) peer.Gauge {
			if s.full[id] {
				return peer.Gauge{DiskFree: 5 << 30, DiskTotal: 100 << 30}
			}
			return peer.Gauge{}
		},
		Status: func(ref catalog.ShardRef, r catalog.Replica) (replica.Status, bool) {
			st, ok := s.status[ref][r.Peer]
			return st, ok
		},
	}
}

// peer runs "peer id=2 [dead=12s] [replaced] [full]": node-2, alive unless dead.
func (s *scene) peer(d *datadriven.TestData) {
	var id uint64
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "id":
			_, _ = fmt.Sscan(arg.Vals[0], &id)
			s.state.Peers[catalog.PeerID(id)] = &catalog.Peer{ID: catalog.PeerID(id), Name: fmt.Sprintf("node-%d", id), GRPCAddr: fmt.Sprintf("n%d:6334", id), PeerAddr: fmt.Sprintf("n%d:6335", id)}
		case "dead":
			silence, _ := time.ParseDuration(arg.Vals[0])
			s.silent[catalog.PeerID(id)] = silence
		case "full":
			s.full[catalog.PeerID(id)] = true
		case "alive":
			delete(s.silent, catalog.PeerID(id))
		case "replaced":
			s.state.Peers[catalog.PeerID(id)].Replaced = true
		}
	}
}

// collection runs "collection factor=2 w=2" with a line per shard: "primary=1 term=3 [unsafe=1] 1:active 2:dead,retiring".
func (s *scene) collection(d *datadriven.TestData) error {
	var factor, w uint32
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "factor":
			_, _ = fmt.Sscan(arg.Vals[0], &factor)
		case "w":
			_, _ = fmt.Sscan(arg.Vals[0], &w)
		}
	}
	s.col = &catalog.Collection{ID: 1, Name: "docs", Config: catalog.Config{ReplicationFactor: factor, WriteConsistencyFactor: w}}
	for i, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
		sh := &catalog.Shard{ID: catalog.ShardID(i), Version: 1, WriteQuorum: w}
		if err := s.shard(sh, strings.Fields(line)); err != nil {
			return err
		}
		s.col.Shards = append(s.col.Shards, sh)
	}
	s.col.Config.ShardNumber = uint32(len(s.col.Shards))
	s.state.Collections[1] = s.col
	s.state.Names["docs"] = 1
	return nil
}

// shard reads one shard; a replica's words are its state, "retiring", and what it says of itself: "quiet" (nothing),
// "at=N" (applied), "follows" (a primary that does not lead), "broken" (a problem), "differs" (from the others), "filling" and "stalled" (a snapshot on its way).
func (s *scene) shard(sh *catalog.Shard, words []string) error {
	ref := catalog.ShardRef{Collection: 1, Shard: sh.ID}
	s.status[ref] = map[catalog.PeerID]replica.Status{}
	for _, word := range words {
		if _, err := fmt.Sscanf(word, "primary=%d", &sh.Primary); err == nil {
			continue
		}
		if _, err := fmt.Sscanf(word, "term=%d", &sh.Term); err == nil {
			continue
		}
		if _, err := fmt.Sscanf(word, "unsafe=%d", &sh.UnsafePromotions); err == nil {
			continue
		}
		id, rest, ok := strings.Cut(word, ":")
		if !ok {
			return fmt.Errorf("what is %q?", word)
		}
		r := catalog.Replica{Generation: catalog.Generation(100 + sh.ID)}
		_, _ = fmt.Sscan(id, &r.Peer)
		st := replica.Status{Ref: ref, Generation: r.Generation, Term: sh.Term, Leading: r.Peer == sh.Primary, LastIndex: 120, CommitIndex: 120, AppliedIndex: 120, Points: 7}
		_, silent := s.silent[r.Peer]
		for _, w := range strings.Split(rest, ",") {
			switch {
			case w == "dead":
				r.State = catalog.Dead
			case w == "partial":
				r.State = catalog.Partial
			case w == "retiring":
				r.Retiring = true
			case w == "quiet":
				silent = true
			case w == "follows":
				st.Leading = false
			case w == "differs":
				st.Differs = "it differs from the others at index 120: 6 points, digest 0b"
			case w == "broken":
				st.Problem, st.Leading = "disk full", false
			case w == "filling":
				st = replica.Status{Ref: ref, Generation: r.Generation, Transfer: &replica.Transfer{From: sh.Primary, To: r.Peer, Records: 30, TotalRecords: 90}}
			case w == "stalled":
				st = replica.Status{Ref: ref, Generation: r.Generation, Transfer: &replica.Transfer{To: r.Peer, Failures: 3, Problem: "it broke"}}
			case strings.HasPrefix(w, "at="):
				_, _ = fmt.Sscanf(w, "at=%d", &st.AppliedIndex)
			case w != "active":
				return fmt.Errorf("what is %q?", w)
			}
		}
		sh.Replicas = append(sh.Replicas, r)
		if !silent {
			s.status[ref][r.Peer] = st
		}
	}
	return nil
}

func (s *scene) placement() string {
	var b strings.Builder
	p := cluster.Placement(s.state, s.col, s.observe())
	for _, sh := range p.Shards {
		fmt.Fprintf(&b, "shard %d: declared %d active %d primary %d term %d W %d writable %v\n",
			sh.ShardId, sh.DeclaredReplicas, sh.ActiveReplicas, sh.Primary, sh.Term, sh.WriteQuorum, sh.Writable)
		for _, r := range sh.Replicas {
			fmt.Fprintf(&b, "  peer %d %v alive %v last %d applied %d points %d generation %d\n",
				r.Peer, r.State, r.Alive, r.LastIndex, r.AppliedIndex, r.Points, r.Generation)
			if tr := r.Transfer; tr != nil {
				fmt.Fprintf(&b, "    from %d: %d of %d, %d failures %s\n", tr.From, tr.Records, tr.TotalRecords, tr.Failures, tr.Problem)
			}
		}
		if sh.Problem != "" {
			fmt.Fprintf(&b, "  problem: %s\n", sh.Problem)
		}
	}
	return b.String() + s.warnings()
}

func (s *scene) warnings() string {
	var b strings.Builder
	for _, w := range cluster.Warnings(s.state, s.col, s.observe()) {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}

func (s *scene) members() string {
	resp := cluster.Members(s.state, 1, "1.2.3", cluster.Standing{
		Leader: 2, Term: 5, Applied: 40, Voters: map[catalog.PeerID]string{1: "n1:6335", 2: "n2:6335"},
	}, s.observe())
	var b strings.Builder
	fmt.Fprintf(&b, "answering %d leader %d term %d applied %d version %s\n", resp.AnsweringPeer, resp.Leader, resp.Term, resp.AppliedIndex, resp.Version)
	for _, p := range resp.Peers {
		b.WriteString(describe(p))
	}
	return b.String()
}

func describe(p *clusterpb.Peer) string {
	seen := "never"
	if p.LastSeenUnixMs != 0 {
		seen = clock.Sub(time.UnixMilli(p.LastSeenUnixMs)).String() + " ago"
	}
	return fmt.Sprintf("%s (%d) grpc %s peer %s alive %v voter %v leader %v replaced %v replicas %d seen %s\n",
		p.Name, p.Id, p.GrpcAddress, p.PeerAddress, p.Alive, p.Voter, p.Leader, p.Replaced, p.Replicas, seen)
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := newScene()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "reset":
				s = newScene()
			case "peer":
				s.peer(d)
			case "collection":
				if err := s.collection(d); err != nil {
					d.Fatalf(t, "%v", err)
				}
			case "placement":
				return s.placement()
			case "warnings":
				return s.warnings()
			case "members":
				return s.members()
			default:
				d.Fatalf(t, "unknown command")
			}
			return ""
		})
	})
}
