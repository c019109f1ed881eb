package shard

import (
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

// SetPartBytes makes operations that change more than n bytes be stored in parts.
func (s *Shard) SetPartBytes(n int) { s.partBytes = n }

// TrustIndexes lets sweeps use payload indexes however many points they leave.
func (s *Shard) TrustIndexes() { s.sweepShare = 1 }

// KeepFewLabels lets plans be kept however few labels they leave.
func (s *Shard) KeepFewLabels() { s.plans.least = 0 }

// KeptPlans is how many plans are kept.
func (s *Shard) KeptPlans() int {
	s.plans.mu.Lock()
	defer s.plans.mu.Unlock()
	return len(s.plans.kept)
}

// AwaitBuilds waits until the payload indexes are complete.
func (s *Shard) AwaitBuilds() { s.builds.wg.Wait() }

// SetCommit replaces how batches are stored.
func (s *Shard) SetCommit(commit func(b *kv.Batch) error) { s.commit = commit }

// BeginSearch begins a search, which finish goes on with: what happens between them is beside it.
func (s *Shard) BeginSearch(req SearchRequest) (finish func() ([]Scored, error), err error) {
	b, err := s.beginSearches([]SearchRequest{req})
	if err != nil {
		return nil, err
	}
	return func() ([]Scored, error) {
		defer b.close()
		return b.searchers[0].answer(context.Background())
	}, nil
}

// Saving returns what saves the index that a vector has now, as the keeper does later, and tells whether it would.
func (s *Shard) Saving(name string) (save func() (due bool, err error)) {
	sp := s.mu.spaces[name]
	return func() (bool, error) { return sp.dense.SaveDue(false), s.save(name, sp) }
}

// MostPlans bounds KeptPlans.
const MostPlans = mostPlans
