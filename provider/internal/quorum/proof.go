package quorum

import (
	"fmt"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// Survives returns how many peers that hold replicas of a shard may fail, all at once, while writes to it go on: enough must
// be left to hold a write, and enough to know every write that was acknowledged. With one copy for a write the latter is
// given up: any one replica may go on, without what only the lost ones had.
func Survives(replicas, factor uint32) uint32 {
	if factor <= 1 {
		return max(replicas, 1) - 1
	}
	if factor > replicas {
		return 0
	}
	return min(replicas-factor, factor-1)
}

// Proof tells in words what follows from a number of replicas and a write consistency.
func Proof(replicas, factor uint32) string {
	text := fmt.Sprintf("Afterwards every point is on %s, and a write counts when %s it.", wait.Count(replicas, "peer", "peers"), wait.Count(factor, "of them holds", "of them hold"))
	if replicas <= 1 {
		return text + " No peer may fail: with it its part of the points is away."
	}
	survives := Survives(replicas, factor)
	switch {
	case factor <= 1:
		text += fmt.Sprintf(" %s may fail and writes go on, but a write that only the failed ones held is lost.", wait.Count(survives, "peer", "peers"))
	case survives == 0:
		text += " When one peer fails, writes to its shards are refused until it is back or replaced."
	default:
		text += fmt.Sprintf(" %s may fail and writes go on: %d - %d = %d still hold a write, and none that counted is lost.", wait.Count(survives, "peer", "peers"),
			replicas, survives, replicas-survives)
	}
	return text + fmt.Sprintf(" Reads go on while one of the %d is left.", replicas)
}

// ShardAdvice says when another number of shards would be spread more evenly; "" when it is fine.
func ShardAdvice(shards, peers uint32) string {
	if peers <= 1 || shards%peers == 0 {
		return ""
	}
	below, above := shards/peers*peers, (shards/peers+1)*peers
	if below == 0 {
		return fmt.Sprintf(" Advice: %d shards on %d peers leave some peers without a primary; %d would give each one.", shards, peers, above)
	}
	return fmt.Sprintf(" Advice: %d shards cannot be spread evenly over %d peers; %d or %d can.", shards, peers, below, above)
}
