package replication

import "slices"

// FenceAnswer is a replica's answer to a fence.
type FenceAnswer struct {
	Peer      PeerID
	Promised  Term
	LastTerm  Term
	LastIndex Index
}

// longer reports whether a's log makes a the better primary than b.
func (a FenceAnswer) longer(b FenceAnswer) bool {
	if a.LastTerm != b.LastTerm {
		return a.LastTerm > b.LastTerm
	}
	return a.LastIndex > b.LastIndex
}

// Shorter reports whether a's log ends before b's: b may hold committed entries that a lacks.
func (a FenceAnswer) Shorter(b FenceAnswer) bool { return b.longer(a) }

// Choose is R6: from the answers of active replicas to a fence of term, which one may be promoted to it. activeCount and w are
// |active| and W of one view, to whose version the promotion must be bound; answers that promise less than term, and further
// answers of one peer, are left out. Of equal logs the first wins.
//
// safe: there are |active| - W + 1 answers (never fewer than 1), so every set of W has one in it. ok: best may be promoted: always
// when safe; when not, only with W = 1, where the caller waits a grace and counts and reports the promotion as unsafe.
func Choose(term Term, activeCount, w int, answers []FenceAnswer) (best FenceAnswer, ok, safe bool) {
	return choose(term, activeCount, w, answers, broken())
}

func choose(term Term, activeCount, w int, answers []FenceAnswer, waived rules) (best FenceAnswer, ok, safe bool) {
	need := max(activeCount-w+1, 1)
	if waived&r6 != 0 {
		need = 1
	}
	seen := make([]PeerID, 0, len(answers))
	for _, a := range answers {
		if a.Promised < term || slices.Contains(seen, a.Peer) {
			continue
		}
		if len(seen) == 0 || a.longer(best) {
			best = a
		}
		seen = append(seen, a.Peer)
	}
	safe = len(seen) >= need
	return best, safe || (w == 1 && len(seen) > 0), safe
}
