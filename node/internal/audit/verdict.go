package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Copy is what one active replica gave to a comparison.
type Copy struct {
	Peer       catalog.PeerID
	Generation catalog.Generation
	Primary    bool
	Index      uint64
	Digest     uint64
	Points     uint64
	// Problem says why it gave no digest. If Damaged, because what it holds cannot be read: such a copy differs from any other.
	Problem string
	Damaged bool
	Differs bool // it is in the minority
}

func (c *Copy) summed() bool { return c.Problem == "" }

// Result is what came of a comparison.
type Result struct {
	Ref      catalog.ShardRef
	Compared bool // else Problem says why not
	Index    uint64
	Copies   []Copy // ordered by peer
	Problem  string // "" when all are equal
}

// Equal tells whether all active copies were compared and are equal.
func (r *Result) Equal() bool { return r.Compared && r.Problem == "" }

// decide finds the minority. Equal digests form a camp; the largest is kept, of equally large ones the primary's, and if
// it is in none of those, the one of the lowest peer: two copies that differ have nobody to ask, and the primary's is the one
// that clients have seen.
func (r *Result) decide() {
	camps := map[uint64][]*Copy{}
	for i := range r.Copies {
		if c := &r.Copies[i]; c.summed() {
			camps[c.Digest] = append(camps[c.Digest], c)
		}
	}
	var kept []*Copy
	tie := false
	for _, c := range r.Copies { // not over the map: the order decides between equals
		camp := camps[c.Digest]
		switch {
		case !c.summed():
		case len(camp) > len(kept):
			kept, tie = camp, false
		case camp[0] != kept[0] && len(camp) == len(kept):
			tie = true
			if slices.ContainsFunc(camp, func(c *Copy) bool { return c.Primary }) {
				kept = camp
			}
		}
	}
	if len(kept) == 0 {
		r.Problem = "no replica could be read"
		return
	}
	r.Compared = len(kept) > 1 || len(camps) > 1 || r.damaged() > 0
	for i := range r.Copies {
		c := &r.Copies[i]
		c.Differs = c.Damaged || c.summed() && c.Digest != kept[0].Digest
	}
	r.Problem = r.word(kept, tie)
}

func (r *Result) damaged() int {
	n := 0
	for _, c := range r.Copies {
		if c.Damaged {
			n++
		}
	}
	return n
}

// word tells for people what is wrong.
func (r *Result) word(kept []*Copy, tie bool) string {
	var bad, silent []string
	for _, c := range r.Copies {
		switch {
		case c.Damaged:
			bad = append(bad, fmt.Sprintf("the replica on peer %d is damaged: %s", c.Peer, c.Problem))
		case c.Differs:
			bad = append(bad, fmt.Sprintf("the replica on peer %d differs: %d points, digest %016x", c.Peer, c.Points, c.Digest))
		case !c.summed():
			silent = append(silent, fmt.Sprintf("the replica on peer %d was not compared: %s", c.Peer, c.Problem))
		}
	}
	if len(bad) > 0 {
		how := fmt.Sprintf("%d of %d agree", len(kept), len(r.Copies))
		if tie {
			how = "no majority: the primary's copy is kept"
			if !slices.ContainsFunc(kept, func(c *Copy) bool { return c.Primary }) {
				how = fmt.Sprintf("no majority: the copy on peer %d is kept", kept[0].Peer)
			}
		}
		bad = append(bad, fmt.Sprintf("kept at index %d: %d points, digest %016x (%s)", r.Index, kept[0].Points, kept[0].Digest, how))
	}
	if !r.Compared && len(silent) == 0 {
		silent = append(silent, "there is only one active replica, nothing to compare it with")
	}
	return strings.Join(append(bad, silent...), "; ")
}

// judgements is the result as the replicas' nodes are told it: of those that were compared.
func (r *Result) judgements() []replica.Judgement {
	var all []replica.Judgement
	if !r.Compared {
		return nil
	}
	for _, c := range r.Copies {
		j := replica.Judgement{Peer: c.Peer, Generation: c.Generation}
		switch {
		case c.Damaged:
			j.Differs = "it is damaged: " + c.Problem
		case c.Differs:
			j.Differs = fmt.Sprintf("it differs from the others at index %d: %d points, digest %016x", r.Index, c.Points, c.Digest)
		case !c.summed():
			continue
		}
		all = append(all, j)
	}
	return all
}
