package client

import "fmt"

// Consistency says how many replicas hold a write before it is acknowledged, as a collection declares it, and what a read
// sees (Client.Reading).
type Consistency uint8

// The write consistencies, weakest first.
const (
	Weak   Consistency = iota // one replica: fast; a lost node may take acknowledged writes with it
	Quorum                    // a majority: survives the loss of a minority
	Strong                    // every declared replica: survives the loss of all but one, but all must be up to write
)

// ParseConsistency reads "weak", "quorum" or "strong".
func ParseConsistency(s string) (Consistency, error) {
	for c := Weak; c <= Strong; c++ {
		if c.String() == s {
			return c, nil
		}
	}
	return Weak, fmt.Errorf(`consistency %q: want "weak", "quorum" or "strong"`, s)
}

// ConsistencyOf returns the strongest consistency whose factor for that many replicas is factor, and false when none
// has it (3 of 5, say, is a quorum, but 4 of 5 is none of the three). With few replicas several share one factor:
// use Factor to compare with a given one.
func ConsistencyOf(factor, replicationFactor uint32) (Consistency, bool) {
	for c := Strong; ; c-- {
		if c.Factor(replicationFactor) == factor {
			return c, true
		}
		if c == Weak {
			return Weak, false
		}
	}
}

// Factor returns the write_consistency_factor of c for that many replicas: 1 for Weak, n/2 + 1 for Quorum, n for
// Strong, and never less than 1.
func (c Consistency) Factor(replicationFactor uint32) uint32 {
	switch c {
	case Quorum:
		return replicationFactor/2 + 1
	case Strong:
		return max(replicationFactor, 1)
	default:
		return 1
	}
}

// String returns the name that ParseConsistency reads.
func (c Consistency) String() string {
	switch c {
	case Quorum:
		return "quorum"
	case Strong:
		return "strong"
	default:
		return "weak"
	}
}
