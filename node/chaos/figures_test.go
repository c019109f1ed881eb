//go:build chaos

package chaos_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// outcome is what a client knows of an operation after its answer.
type outcome int

const (
	done    outcome = iota // confirmed
	refused                // certainly not applied
	unknown                // may have been applied, or may be yet
)

// outcomeOf reads an answer as a client may. What the nodes say about a write that they refused is taken by its word,
// so that a write that is applied all the same is found.
func outcomeOf(err error) outcome {
	if err == nil {
		return done
	}
	for _, d := range status.Convert(err).Details() {
		info, ok := d.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != "ostraka" || info.GetMetadata()["outcome"] == "unknown" {
			continue
		}
		switch info.GetReason() {
		case "NOT_PRIMARY", "STALE_EPOCH", "UNAVAILABLE", "EXHAUSTED", "FAILED_PRECONDITION", "INVALID", "NOT_FOUND", "EXISTS", "UNSUPPORTED":
			return refused
		}
	}
	return unknown
}

// figures are what the clients measured, by kind of operation.
type figures struct {
	mu struct {
		sync.Mutex
		kinds map[string]*figure
	}
}

type figure struct {
	outcomes   [3]int
	unsent     int // no connection to the chosen node
	took       []time.Duration
	last       time.Time     // the newest success
	gap        time.Duration // the longest time between two successes
	gapAt      time.Time
	errors     map[string]int
	regression int // default reads that went backwards
}

func newFigures() *figures {
	f := &figures{}
	f.mu.kinds = map[string]*figure{}
	return f
}

func (f *figures) ofLocked(op string) *figure {
	if f.mu.kinds[op] == nil {
		f.mu.kinds[op] = &figure{errors: map[string]int{}}
	}
	return f.mu.kinds[op]
}

// add notes one answer.
func (f *figures) add(op string, began time.Time, o outcome, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, now := f.ofLocked(op), time.Now()
	k.outcomes[o]++
	if o != done {
		k.errors[status.Code(err).String()]++
		return
	}
	k.took = append(k.took, now.Sub(began))
	if gap := now.Sub(k.last); !k.last.IsZero() && gap > k.gap {
		k.gap, k.gapAt = gap, k.last
	}
	k.last = now
}

// sum is how many operations there were.
func (f *figures) sum() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all [3]int
	for _, k := range f.mu.kinds {
		for o, n := range k.outcomes {
			all[o] += n
		}
	}
	return fmt.Sprintf("%d, of which %d confirmed, %d refused, %d with an unknown outcome", all[done]+all[refused]+all[unknown], all[done], all[refused], all[unknown])
}

func (f *figures) addUnsent(op string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ofLocked(op).unsent++
}

func (f *figures) addRegression(op string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ofLocked(op).regression++
}

// table is all of it for people; gaps are placed on the timeline that began then.
func (f *figures) table(began time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "operation\tok\trefused\tunknown\tnot sent\tp50\tp99\tmax\tlongest without\tat")
	regressions := ""
	for _, name := range slices.Sorted(maps.Keys(f.mu.kinds)) {
		k := f.mu.kinds[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%.1fs\n", name, k.outcomes[done], k.outcomes[refused], k.outcomes[unknown], k.unsent,
			quantile(k.took, 0.5), quantile(k.took, 0.99), quantile(k.took, 1), k.gap.Round(time.Millisecond), max(0, k.gapAt.Sub(began).Seconds()))
		if k.regression > 0 {
			regressions += fmt.Sprintf("%s: %d reads at the default consistency were older than one before (that is allowed)\n", name, k.regression)
		}
	}
	_ = w.Flush()
	return b.String() + regressions
}

// quantile returns the q-quantile of times, to the millisecond.
func quantile(times []time.Duration, q float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Round(time.Millisecond)
}

// isCode reports whether err is a status of that code.
func isCode(err error, c codes.Code) bool { return err != nil && status.Code(err) == c }
