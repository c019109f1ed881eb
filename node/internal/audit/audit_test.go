package audit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/audit"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// told is a result in one line.
func told(r audit.Result, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	text := fmt.Sprintf("compared %v:", r.Compared)
	for _, c := range r.Copies {
		if c.Differs {
			text += fmt.Sprintf(" %d differs", c.Peer)
		}
	}
	return text + " " + r.Problem
}

func TestTheMinorityDiffers(t *testing.T) {
	damaged := fault.New(fault.Corrupt, "checksum")
	silent := fault.New(fault.Unavailable, "busy")
	for name, c := range map[string]struct {
		digests map[catalog.PeerID]uint64
		broken  map[catalog.PeerID]error
		primary catalog.PeerID
		want    string // beginning
	}{
		"equal":                        {map[catalog.PeerID]uint64{1: 5, 2: 5, 3: 5}, nil, 1, "compared true: "},
		"one of three":                 {map[catalog.PeerID]uint64{1: 5, 2: 5, 3: 6}, nil, 1, "compared true: 3 differs the replica on peer 3 differs: 3 points, digest 0000000000000006; kept at index 100: 3 points, digest 0000000000000005 (2 of 3 agree)"},
		"the primary":                  {map[catalog.PeerID]uint64{1: 6, 2: 5, 3: 5}, nil, 1, "compared true: 1 differs"},
		"two, primary first":           {map[catalog.PeerID]uint64{1: 6, 2: 5}, nil, 1, "compared true: 2 differs the replica on peer 2 differs: 3 points, digest 0000000000000005; kept at index 100: 3 points, digest 0000000000000006 (no majority: the primary's copy is kept)"},
		"two, primary last":            {map[catalog.PeerID]uint64{1: 6, 2: 5}, nil, 2, "compared true: 1 differs"},
		"two and two":                  {map[catalog.PeerID]uint64{1: 6, 2: 5, 3: 6, 4: 5}, nil, 4, "compared true: 1 differs 3 differs"},
		"all differ":                   {map[catalog.PeerID]uint64{1: 6, 2: 5, 3: 4}, nil, 3, "compared true: 1 differs 2 differs"},
		"damaged":                      {map[catalog.PeerID]uint64{1: 5, 2: 5}, map[catalog.PeerID]error{2: damaged}, 1, "compared true: 2 differs the replica on peer 2 is damaged: checksum; kept"},
		"the primary is damaged":       {map[catalog.PeerID]uint64{1: 5, 2: 5}, map[catalog.PeerID]error{1: damaged}, 1, "compared true: 1 differs"},
		"all damaged":                  {map[catalog.PeerID]uint64{1: 5, 2: 5}, map[catalog.PeerID]error{1: damaged, 2: damaged}, 1, "compared false: no replica could be read"},
		"silent":                       {map[catalog.PeerID]uint64{1: 5, 2: 6}, map[catalog.PeerID]error{2: silent}, 1, "compared false: the replica on peer 2 was not compared: busy"},
		"silent, the others are equal": {map[catalog.PeerID]uint64{1: 5, 2: 6, 3: 5}, map[catalog.PeerID]error{2: silent}, 1, "compared true: the replica on peer 2 was not compared: busy"},
		"silent, the others are not":   {map[catalog.PeerID]uint64{1: 5, 2: 6, 3: 6, 4: 5}, map[catalog.PeerID]error{2: silent}, 4, "compared true: 3 differs"},
		"alone":                        {map[catalog.PeerID]uint64{1: 5}, nil, 1, "compared false: there is only one active replica"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var peers []catalog.PeerID
			for id := catalog.PeerID(1); int(id) <= len(c.digests); id++ {
				peers = append(peers, id)
			}
			peers[0], peers[c.primary-1] = peers[c.primary-1], peers[0]
			w := newWorld(t, uint32(len(peers)), 1, peers...)
			for id, d := range c.digests {
				w.mu.copies[id].digest, w.mu.copies[id].broken = d, c.broken[id]
			}
			a := w.auditor(9, audit.Options{})
			defer a.Close()
			if got := told(a.Compare(t.Context(), ref, 0)); !strings.HasPrefix(got, c.want) {
				t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
			}
		})
	}
}

func TestAComparisonMeetsTheReplicasUnderSteadyWrites(t *testing.T) {
	for _, rate := range []float64{0, 0.3, 10, 1000, 200_000} {
		for _, stops := range []time.Duration{time.Hour, 120 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, 2, 1, 2, 3)
				w.rate, w.stops = rate, stops
				w.mu.copies[2].behind, w.mu.copies[3].behind = 3*time.Millisecond, 40*time.Millisecond
				a := w.auditor(1, audit.Options{})
				defer a.Close()
				began := time.Now()
				r, err := a.Compare(t.Context(), ref, 0)
				if err != nil || !r.Equal() || r.Index == 0 {
					t.Errorf("%v a second for %v: %+v, %v", rate, stops, r, err)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("%v a second for %v: it took %v", rate, stops, took)
				}
			})
		}
	}
}

func TestAReplicaThatStaysBehindIsNotComparedAtAnotherIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 1, 1, 2)
		w.rate = 100
		w.mu.copies[2].behind, w.mu.copies[2].digest = time.Minute, 99
		<-time.After(90 * time.Second)
		a := w.auditor(1, audit.Options{})
		defer a.Close()
		if got := told(a.Compare(t.Context(), ref, 0)); got != "compared false: the replicas were not seen at the same index in 10 tries" {
			t.Error(got)
		}
		if w.mu.copies[2].judged != "" {
			t.Error("it was judged")
		}
	})
}

func TestACopyThatDiffersIsMadeAnew(t *testing.T) {
	for _, bad := range []catalog.PeerID{1, 2, 3} { // 1 is primary, and leads the metadata
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3, 2, 1, 2, 3)
			w.mu.copies[bad].digest = 8
			was, _ := w.shard().Replica(bad)
			events := event.New(0)
			all, stop := w.auditors(events)
			defer stop()
			r, err := all[1].Compare(t.Context(), ref, 0)
			if err != nil || r.Equal() || !r.Compared {
				t.Fatalf("%+v, %v", r, err)
			}
			<-time.After(10 * time.Second)
			sh := w.shard()
			now, _ := sh.Replica(bad)
			if now.Generation == was.Generation || now.State != catalog.Partial {
				t.Errorf("peer %d: %+v, it was %+v", bad, now, was)
			}
			for id, c := range w.mu.copies {
				if rep, _ := sh.Replica(id); id != bad && (rep.State != catalog.Active || c.judged != "") {
					t.Errorf("peer %d was not to blame: %+v %q", id, rep, c.judged)
				}
			}
			if w.mu.copies[bad].judged == "" || sh.Primary == bad {
				t.Errorf("judged %q, primary %d", w.mu.copies[bad].judged, sh.Primary)
			}
			kinds := ""
			for _, e := range events.Read(0, 100).Events {
				kinds += fmt.Sprintf("%s %s %d;", e.Kind, e.Collection, e.Peer)
			}
			if want := fmt.Sprintf("replica_differs docs %d;replica_rebuilt docs %d;", bad, bad); kinds != want {
				t.Errorf("events %s", kinds)
			}
		})
	}
}

func TestEqualCopiesAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, 2, 1, 2, 3)
		w.mu.copies[2].judged = "it differed before"
		version := w.shard().Version
		all, stop := w.auditors(nil)
		defer stop()
		if r, err := all[0].Compare(t.Context(), ref, 0); err != nil || !r.Equal() {
			t.Errorf("%+v, %v", r, err)
		}
		<-time.After(time.Minute)
		if w.shard().Version != version || w.mu.copies[2].judged != "" {
			t.Errorf("version %d, was %d; judged %q", w.shard().Version, version, w.mu.copies[2].judged)
		}
	})
}

func TestTheCheckInTheBackgroundComparesWhatIsLedFromHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 1, 1, 2)
		w.mu.copies[2].digest = 8
		reg := prometheus.NewRegistry()
		follower := w.auditor(2, audit.Options{Every: time.Hour})
		primary := w.auditor(1, audit.Options{Every: 24 * time.Hour, Registerer: reg})
		<-time.After(26 * time.Hour)
		w.mu.Lock()
		w.mu.copies[2].digest = 7 // it was filled anew
		w.mu.Unlock()
		sh := w.shard()
		two := catalog.PeerID(2)
		w.apply(catalog.Command{ChangeShard: &catalog.ChangeShard{Ref: ref, Version: sh.Version, Activate: &two}})
		<-time.After(72 * time.Hour)
		_, _ = primary.Close(), follower.Close()
		want := `
# HELP ostraka_audit_different_digests_total Digests among them that were in the minority. Anything but 0 needs a person: a disk may be failing.
# TYPE ostraka_audit_different_digests_total counter
ostraka_audit_different_digests_total 1
# HELP ostraka_audit_repairs_total Replicas in the minority, by outcome: made anew, or given up.
# TYPE ostraka_audit_repairs_total counter
ostraka_audit_repairs_total{outcome="given_up"} 0
ostraka_audit_repairs_total{outcome="rebuilt"} 1
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "ostraka_audit_different_digests_total", "ostraka_audit_repairs_total"); err != nil {
			t.Error(err)
		}
		if n := count(t, reg, "equal"); n < 2 || n > 4 {
			t.Errorf("%v equal checks in three days", n)
		}
	})
}

func count(t *testing.T, reg *prometheus.Registry, outcome string) float64 {
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "ostraka_audit_checks_total" && m.GetLabel()[0].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}

func TestAComparisonEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 1, 1, 2)
		w.rate = 100
		a := w.auditor(1, audit.Options{})
		defer a.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := a.Compare(ctx, ref, 0); err == nil || time.Since(w.start) > 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(w.start))
		}
		if _, err := a.Compare(t.Context(), catalog.ShardRef{Collection: 9}, 0); !fault.Is(err, fault.NotFound) {
			t.Errorf("a shard that is gone: %v", err)
		}
	})
}
