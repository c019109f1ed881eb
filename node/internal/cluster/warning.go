package cluster

import (
	"fmt"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// maxListed bounds the shards that one warning lists by number.
const maxListed = 8

// Warnings tells, for people, what of a collection is not as declared and what its declaration risks. Shards with the
// same problem share a line.
func Warnings(state *catalog.State, col *catalog.Collection, obs Observations) []string {
	var all []string
	if col.Config.ReplicationFactor == 1 {
		all = append(all, "replication_factor 1: a lost node loses its data")
	}
	if n := state.Members(); int(col.Config.ReplicationFactor) > n {
		all = append(all, fmt.Sprintf("replication_factor %d needs as many peers, the cluster has %d", col.Config.ReplicationFactor, n))
	}
	all = append(all, shardProblems(state, col, obs)...)
	unsafe := uint64(0)
	for _, sh := range col.Shards {
		unsafe += sh.UnsafePromotions
	}
	if unsafe > 0 {
		all = append(all, fmt.Sprintf("unsafe promotions: %d: write consistency is weak and the dead primary did not answer; writes that only it held may be lost", unsafe))
	}
	return all
}

// shardProblems lists each problem once, in the order of the first shard that has it.
func shardProblems(state *catalog.State, col *catalog.Collection, obs Observations) []string {
	shards := map[string][]catalog.ShardID{}
	var order []string
	for _, sh := range col.Shards {
		text := look{state, col, sh, obs}.problem()
		if text == "" {
			continue
		}
		if _, ok := shards[text]; !ok {
			order = append(order, text)
		}
		shards[text] = append(shards[text], sh.ID)
	}
	lines := make([]string, len(order))
	for i, text := range order {
		lines[i] = list(shards[text], len(col.Shards)) + ": " + text
	}
	return lines
}

// list names shards: "shard 3", "shards 0, 2", "all 4 shards", "shards 0, 1, ... (12 of 20)".
func list(ids []catalog.ShardID, of int) string {
	if len(ids) == 1 {
		return fmt.Sprintf("shard %d", ids[0])
	}
	if len(ids) == of {
		return fmt.Sprintf("all %d shards", of)
	}
	names := make([]string, 0, maxListed)
	for _, id := range ids[:min(len(ids), maxListed)] {
		names = append(names, fmt.Sprint(id))
	}
	text := "shards " + strings.Join(names, ", ")
	if len(ids) > maxListed {
		text += fmt.Sprintf(", ... (%d of %d)", len(ids), of)
	}
	return text
}
