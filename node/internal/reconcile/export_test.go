package reconcile

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// Decide is what a failover does between the answers and the proposal.
func Decide(s *catalog.State, o Observations, f Failover, answers []replication.FenceAnswer) (*catalog.Promote, bool) {
	_, sh, _ := s.Shard(f.Ref)
	return newTaste(s, o).choose(ballot{Failover: f, shard: sh, answers: answers})
}
