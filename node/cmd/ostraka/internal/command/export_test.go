package command

import (
	"io"
	"iter"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// MaxLineBytes is the longest line that load reads.
const MaxLineBytes = maxLineBytes

// Points reads a file as load does, up to the first error.
func Points(in io.Reader) iter.Seq2[int, client.Point] {
	return func(yield func(int, client.Point) bool) {
		r, err := newLineReader(in)
		if err != nil {
			return
		}
		for {
			line, err := r.next()
			if err != nil {
				return
			}
			p, err := parsePoint(line)
			if err != nil || !yield(r.line, p) {
				return
			}
		}
	}
}

// WatchLog is what watch writes elsewhere than on a terminal, look after look.
type WatchLog struct{ v watching }

// NewWatchLog has looked at nothing yet.
func NewWatchLog() *WatchLog { return &WatchLog{watching{paces: paces{}, told: map[string]told{}}} }

// Look returns the lines that one look adds, and what a terminal would show then.
func (w *WatchLog) Look(at time.Time, c *client.Cluster, operations []client.Operation, placements []client.CollectionPlacement) (lines, bars string) {
	now := situation{cluster: c, collections: placements}.progressing(operations, at)
	w.v.paces.take(now)
	return w.v.news(now), now.text()
}
