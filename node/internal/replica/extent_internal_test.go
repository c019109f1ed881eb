package replica

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// The extent is held against a plain list of sizes: what it takes for the log's size is right but for the share of a cut span, and
// what it gives away leaves what the bounds allow, no less than that by more than a span.
func TestExtentKnowsWhatTheLogTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := logBounds{softBytes: 1600, softEntries: 64, hardBytes: 3200, hardEntries: 128}
		first := replication.Index(rapid.IntRange(1, 9).Draw(t, "first"))
		x, sizes := newExtent(first, bounds), []int{} // of first, first+1, ...
		last := func() replication.Index { return first + replication.Index(len(sizes)) - 1 }
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				n := rapid.IntRange(0, len(sizes)).Draw(t, "cut")
				sizes = sizes[:n]
				x.truncate(first + replication.Index(n))
			case 1:
				limit := first - 1 + replication.Index(rapid.IntRange(0, len(sizes)).Draw(t, "limit"))
				through := x.surplus(soft, limit, 1000)
				if through == 0 {
					break
				}
				if through > limit || through < first {
					t.Fatalf("gives away up to %d of %d..%d, allowed up to %d", through, first, last(), limit)
				}
				x.compact(through)
				sizes = sizes[through+1-first:]
				first = through + 1
			default:
				size := rapid.IntRange(0, 200).Draw(t, "size")
				sizes = append(sizes, size)
				x.grow(last(), size)
			}
			if x.last() != last() || x.before != first-1 {
				t.Fatalf("extent is %d..%d, log is %d..%d", x.before+1, x.last(), first, last())
			}
		}
		if through := x.surplus(soft, last(), 1<<30); through != 0 {
			x.compact(through)
		}
		if n := int(x.last() - x.before); x.bytes > bounds.softBytes || n > bounds.softEntries {
			t.Fatalf("%d bytes in %d entries are left", x.bytes, n)
		}
	})
}

func TestExtentCountsPartsOfOneEntryTogether(t *testing.T) {
	x := newExtent(1, logBounds{softBytes: 160, softEntries: 16, hardBytes: 320, hardEntries: 32})
	for range 10 {
		x.grow(1, 100)
	}
	x.grow(2, 5)
	if through := x.surplus(soft, 2, 100); through != 1 || len(x.spans) != 2 || x.bytes != 1005 {
		t.Errorf("surplus %d of %+v", through, x)
	}
}

func TestThrottleSpreadsBytesOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limit throttle
		limit.set(1000)
		start := time.Now()
		for range 11 {
			if err := limit.wait(t.Context(), 500); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("10 times 500 bytes at 1000 a second, and then some, took %v", took)
		}
		limit.set(2000)
		start = time.Now()
		for range 5 {
			if err := limit.wait(t.Context(), 500); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took != 1500*time.Millisecond { // what the eleventh left, and four of a quarter second
			t.Errorf("4 times 500 bytes at 2000 a second took %v", took)
		}
	})
}

func TestWhoGivesUpWaitingKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var limit throttle
		limit.set(1000)
		start := time.Now()
		if err := limit.wait(t.Context(), 2000); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			brief, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			if err := limit.wait(brief, 5000); err == nil {
				t.Error("it went before its turn")
			}
			if err := limit.wait(brief, 5000); err == nil {
				t.Error("it went although it was over before it came")
			}
			cancel()
		}
		if err := limit.wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("2000 bytes at 1000 a second, and nothing else that went, took %v", took)
		}
	})
}
