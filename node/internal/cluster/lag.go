package cluster

import (
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// lags measures how far behind replicas are, in entries and in time, for the shards led from here.
//
// In time it is measured by a mark: where the log ended at some moment. While the replica that is furthest behind has not come to
// the mark, it is behind by the time since; when it has, the end of the log is marked anew.
type lags map[catalog.ShardRef]*lag

type lag struct {
	entries uint64
	mark    uint64
	at      time.Time
	behind  time.Duration
	told    bool // as an event
}

// sample takes in what the replicas here say of themselves.
func (ls lags) sample(now time.Time, statuses []replica.Status) {
	led := map[catalog.ShardRef]bool{}
	for _, st := range statuses {
		if !st.Leading {
			continue
		}
		led[st.Ref] = true
		l := ls[st.Ref]
		if l == nil {
			l = &lag{}
			ls[st.Ref] = l
		}
		l.entries = st.Lag
		has := st.LastIndex - min(st.Lag, st.LastIndex)
		if has >= l.mark || l.at.IsZero() {
			l.mark, l.at = st.LastIndex, now
		}
		l.behind = now.Sub(l.at)
		if st.Lag == 0 {
			l.behind = 0
		}
	}
	for ref := range ls {
		if !led[ref] {
			delete(ls, ref)
		}
	}
}

// worst returns the greatest lag of all.
func (ls lags) worst() (entries uint64, behind time.Duration) {
	for _, l := range ls {
		entries, behind = max(entries, l.entries), max(behind, l.behind)
	}
	return entries, behind
}
