package coordinator

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// history is a log of single upserts and deletes of a few points: history[i] is the operation at index i+1.
type history []step

type step struct {
	id     uint64
	delete bool
}

// at is the state of the log's first n operations: which points there are, and the index that last changed each.
func (h history) at(n uint64) map[uint64]uint64 {
	state := map[uint64]uint64{}
	for i, s := range h[:n] {
		if s.delete {
			delete(state, s.id)
		} else {
			state[s.id] = uint64(i) + 1
		}
	}
	return state
}

// read is what a replica whose view is at n answers to a read of the points whose version passes the filter, the first few by id.
func (h history) read(n uint64, matches func(version uint64) bool, limit int) []point.Record {
	var records []point.Record
	for id, version := range h.at(n) {
		if matches(version) {
			records = append(records, point.Record{Point: point.Point{ID: point.Num(id)}, Version: version})
		}
	}
	slices.SortFunc(records, func(a, b point.Record) int { return a.ID.Compare(b.ID) })
	return records[:min(limit, len(records))]
}

// Whatever the replicas have applied, whatever matches, and however few are asked for: the chosen answer is that of one view, no
// older than any answer's; every point in it is at its newest; and what it lacks is really gone, or out of the page, by then.
func TestTheNewestAnswerShowsNothingOlderThanAnyOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := make(history, rapid.IntRange(0, 30).Draw(t, "log"))
		for i := range h {
			h[i] = step{id: rapid.Uint64Max(5).Draw(t, "id"), delete: rapid.IntRange(0, 2).Draw(t, "kind") == 0}
		}
		modulus, limit := rapid.Uint64Range(1, 3).Draw(t, "filter"), rapid.IntRange(1, 7).Draw(t, "limit")
		matches := func(version uint64) bool { return version%modulus == 0 }
		var answers []answer[[]point.Record]
		var views []uint64
		for range rapid.IntRange(1, 4).Draw(t, "replicas") {
			view := rapid.Uint64Max(uint64(len(h))).Draw(t, "view")
			applied := rapid.Uint64Max(view).Draw(t, "applied") // what it says is at most what it shows
			views = append(views, view)
			answers = append(answers, answer[[]point.Record]{value: h.read(view, matches, limit), applied: applied})
		}
		got := newest(answers, newestRecord)
		at := slices.IndexFunc(answers, func(a answer[[]point.Record]) bool { return slices.EqualFunc(a.value, got, sameRecord) })
		if at < 0 {
			t.Fatalf("the result is no replica's answer: %v", got)
		}
		// Of equal answers, the one with the newest view explains the result.
		view := uint64(0)
		for i, a := range answers {
			if slices.EqualFunc(a.value, got, sameRecord) {
				view = max(view, views[i])
			}
		}
		for _, a := range answers {
			if a.applied > view {
				t.Fatalf("the answer of a view at %d was taken though a replica had applied %d", view, a.applied)
			}
			for _, r := range a.value {
				if r.Version > view {
					t.Fatalf("point %s is known at %d and the result is of %d", r.ID, r.Version, view)
				}
				i := slices.IndexFunc(got, func(g point.Record) bool { return g.ID == r.ID })
				switch state := h.at(view); {
				case i >= 0 && got[i].Version < r.Version:
					t.Fatalf("point %s is shown at %d, another replica has it at %d", r.ID, got[i].Version, r.Version)
				case i < 0 && state[r.ID.Number()] == r.Version && len(got) < limit:
					t.Fatalf("point %s is missing, though nothing has changed it since %d", r.ID, r.Version)
				}
			}
		}
	})
}

func sameRecord(a, b point.Record) bool { return a.ID == b.ID && a.Version == b.Version }

func TestHowManyReplicasHaveToAnswer(t *testing.T) {
	for _, c := range []struct {
		o              ReadOptions
		declared, want int
	}{
		{ReadOptions{}, 3, 1},
		{ReadOptions{Consistency: Linearizable}, 3, 1},
		{ReadOptions{Consistency: Factor}, 3, 1},
		{ReadOptions{Consistency: Factor, Factor: 2}, 3, 2},
		{ReadOptions{Consistency: Factor, Factor: 9}, 3, 3},
		{ReadOptions{Consistency: Quorum}, 1, 1},
		{ReadOptions{Consistency: Quorum}, 2, 2},
		{ReadOptions{Consistency: Quorum}, 3, 2},
		{ReadOptions{Consistency: Majority}, 4, 3},
		{ReadOptions{Consistency: Majority}, 5, 3},
		{ReadOptions{Consistency: All}, 5, 5},
		{ReadOptions{Consistency: All}, 0, 1},
	} {
		if got := c.o.answers(c.declared); got != c.want {
			t.Errorf("%+v of %d: %d, want %d", c.o, c.declared, got, c.want)
		}
	}
}

func TestTheFirstWaveIsAsWideAsDeclared(t *testing.T) {
	two := uint32(2)
	for _, c := range []struct {
		o          ReadOptions
		factor     *uint32
		candidates int
		want       int
	}{
		{ReadOptions{}, nil, 3, 1},
		{ReadOptions{}, &two, 5, 3},
		{ReadOptions{}, &two, 2, 2},
		{ReadOptions{Consistency: Quorum}, nil, 3, 2},
		{ReadOptions{Consistency: Majority}, nil, 3, 3},
	} {
		if got := c.o.first(c.o.answers(3), c.candidates, &catalog.Config{ReadFanOutFactor: c.factor}); got != c.want {
			t.Errorf("%+v with %d candidates: %d, want %d", c.o, c.candidates, got, c.want)
		}
	}
}

func TestTheDelayFollowsWhatReadsTakeAndWhatIsDeclared(t *testing.T) {
	p, key := newPace(), paceKey{1, kindSearch}
	if d := p.delay(key, nil); d != hedgeUnknown {
		t.Errorf("nothing is known: %v", d)
	}
	for range 100 {
		p.observe(key, time.Millisecond)
	}
	if d := p.delay(key, nil); d != hedgeMin {
		t.Errorf("reads of 1 ms: %v", d)
	}
	for range 100 {
		p.observe(key, 200*time.Millisecond)
	}
	if d := p.delay(key, nil); d < 200*time.Millisecond || d > 400*time.Millisecond {
		t.Errorf("reads of 200 ms: %v", d)
	}
	for range 100 {
		p.observe(key, 10*time.Second)
	}
	if d := p.delay(key, nil); d != hedgeMax {
		t.Errorf("reads of 10 s: %v", d)
	}
	if d := p.delay(paceKey{1, kindGet}, nil); d != hedgeUnknown {
		t.Errorf("another kind: %v", d)
	}
	for declared, want := range map[time.Duration]time.Duration{0: hedgeLast, time.Millisecond: time.Millisecond, time.Minute: hedgeLast} {
		if d := p.delay(key, &declared); d != want {
			t.Errorf("declared %v: %v, want %v", declared, d, want)
		}
	}
}
