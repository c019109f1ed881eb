package coordinator

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// Consistency says whose answers a read is made of, for each shard that it concerns.
type Consistency uint8

// The consistencies. "Declared" is the collection's replication_factor, whatever there is of it: what people chose does not
// shrink with the cluster. Only active replicas answer.
const (
	// One asks one active replica, this node's if there is one. What was written through this node is seen.
	One Consistency = iota
	// Factor asks ReadOptions.Factor replicas, at most as many as are declared.
	Factor
	// Quorum asks more than half of the declared replicas, and others only for those that fail or are slow.
	Quorum
	// Majority takes the answers of more than half as well, but asks all: the fastest count.
	Majority
	// All asks as many replicas as are declared.
	All
	// Linearizable sees every write that was committed before the read began, through whichever node (Coordinator.confirm).
	Linearizable
)

// ReadOptions says how a read is answered. The zero value asks one replica.
type ReadOptions struct {
	Consistency Consistency
	Factor      uint32 // for Factor; 0 counts as 1
	Keys        *Keys
}

// answers is how many replicas of a shard have to answer, of so many that are declared.
func (o ReadOptions) answers(declared int) int {
	declared = max(declared, 1)
	switch o.Consistency {
	case Factor:
		return min(max(int(o.Factor), 1), declared)
	case Quorum, Majority:
		return declared/2 + 1
	case All:
		return declared
	default:
		return 1
	}
}

// first is how many of so many candidates are asked at once. read_fan_out_factor adds to those that have to answer.
func (o ReadOptions) first(need, candidates int, config *catalog.Config) int {
	if o.Consistency == Majority {
		return candidates
	}
	if f := config.ReadFanOutFactor; f != nil {
		need += int(*f)
	}
	return min(need, candidates)
}

// answer is what one replica said.
type answer[T any] struct {
	value   T
	applied uint64 // the replica had applied at least this much of the shard's log when it looked
}

// newest returns the answer of the replica that was furthest. versions gives the newest version (the log index that last changed
// it) of a point in an answer.
//
// This is "for every point, the newest wins", and more. All replicas of a shard apply one log, so an answer is a picture of the
// shard at one place of that log, its view. A view is at least as new as what the replica says it had applied, and as every
// version in it; call the larger of both its mark. Let A be an answer with the highest mark, and p a point in another answer B with
// the version v. Then v <= mark(B) <= mark(A) <= view(A): A's picture was taken with the change v in it. So if A has p, then at v or
// newer; and if A lacks p, then p was deleted, or ceased to match, or was overtaken by better ones, after v. A mixture of answers
// could show no point newer than A does, but halves of operations, and points that were deleted.
func newest[T any](answers []answer[T], version func(T) uint64) T {
	var best T
	var mark uint64
	for i, a := range answers {
		if m := max(a.applied, version(a.value)); i == 0 || m > mark {
			best, mark = a.value, m
		}
	}
	return best
}
