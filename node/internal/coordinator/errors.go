package coordinator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// annotate puts a context before err's text and keeps its class and hints.
func annotate(err error, format string, args ...any) *fault.Error {
	return &fault.Error{Class: fault.ClassOf(err), Text: fmt.Sprintf(format, args...), Cause: err, Hints: hintsOf(err)}
}

// hintsOf returns the hints of the outermost classed error in err's chain.
func hintsOf(err error) map[string]string {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Hints
	}
	return nil
}

// gaveUp tells that the time was over while a write was surely not applied.
func gaveUp(ctx context.Context, last error) error {
	text := "the time was over before it was sent; nothing was applied"
	if last != nil {
		text = "it was tried until the time was over; nothing was applied"
	}
	return &fault.Error{Class: fault.ClassOf(ctx.Err()), Cause: last, Text: text}
}

// explain makes sure that an unknown outcome is told as such, with W and the primary that was asked. What a primary
// itself said about it stays as it is.
func (c *Coordinator) explain(err error, state *catalog.State, sh *catalog.Shard, to target) error {
	switch fault.ClassOf(err) {
	case fault.Timeout, fault.Canceled, fault.Unavailable, fault.Internal, fault.Corrupt:
	default:
		return err // the operation's own failure, or a refusal
	}
	if hopeless(err) || strings.Contains(err.Error(), "may still be committed") {
		return err
	}
	class := fault.ClassOf(err)
	e := &fault.Error{Class: class, Cause: err, Text: fmt.Sprintf(
		"sent to its primary %s, which did not say that %d replicas have it (how many do is not known); the write may still be committed",
		peerName(state, to.primary), sh.WriteQuorum)}
	return e.With(fault.HintOutcome, fault.OutcomeUnknown)
}

// partial makes one error of those of the shards; nil if there is none. Of those that the write is for, so many were
// tried.
func partial(errs []error, tried, of int, shardOf func(i int) catalog.ShardID) error {
	failed, first := 0, -1
	for i, err := range errs {
		if err != nil {
			if failed++; first < 0 {
				first = i
			}
		}
	}
	if failed == 0 {
		return nil
	}
	if len(errs) == 1 && tried == 1 {
		return ofShard(errs[0], shardOf(0))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d shards failed", failed, of)
	if tried < of {
		b.WriteString(" and the others were not tried")
	}
	sep, named := ": ", 0
	for i, err := range errs {
		if err == nil {
			continue
		}
		if named++; named > maxNamed {
			fmt.Fprintf(&b, "; and %d more", failed-maxNamed)
			break
		}
		b.WriteString(sep + inShard(err, shardOf(i)))
		sep = "; "
	}
	e := &fault.Error{Class: fault.ClassOf(errs[first]), Text: b.String()}
	unknown := failed < tried  // some of it is applied, so that nobody may take it for refused and send it again
	for _, err := range errs { // one part whose outcome is unknown makes the whole unknown
		unknown = unknown || fault.Hint(err, fault.HintOutcome) == fault.OutcomeUnknown
	}
	if unknown {
		return e.With(fault.HintOutcome, fault.OutcomeUnknown)
	}
	return e
}

// ofShard names the shard in an error, unless the request itself was at fault: then the shard says nothing.
func ofShard(err error, id catalog.ShardID) error {
	switch fault.ClassOf(err) {
	case fault.Invalid, fault.NotFound, fault.Unsupported:
		return err
	default:
		return &fault.Error{Class: fault.ClassOf(err), Text: inShard(err, id), Hints: hintsOf(err)}
	}
}

// inShard is err's text with the shard's name before it, unless it names the shard already.
func inShard(err error, id catalog.ShardID) string {
	prefix := fmt.Sprintf("shard %d: ", id)
	if text := err.Error(); strings.HasPrefix(text, prefix) || strings.Contains(text, fmt.Sprintf("of shard %d,", id)) {
		return text
	}
	return prefix + err.Error()
}

// maxNamed bounds the shards that one error tells of.
const maxNamed = 4

// peerName names a peer for people.
func peerName(state *catalog.State, id catalog.PeerID) string {
	if p, ok := state.Peers[id]; ok {
		return fmt.Sprintf("%s (peer %d)", p.Name, id)
	}
	return fmt.Sprintf("peer %d", id)
}

// describePeers lists peers with what is known of them.
func (c *Coordinator) describePeers(state *catalog.State, ids []catalog.PeerID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = peerName(state, id)
		if !c.opts.Liveness.Alive(id) {
			names[i] += " does not answer"
		}
	}
	return strings.Join(names, ", ")
}
