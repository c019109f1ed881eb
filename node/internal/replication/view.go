package replication

import (
	"maps"
	"slices"
)

// role is what the view says of a replica.
type role uint8

const (
	active  role = 1 // it counts
	partial role = 2 // it receives
	dead    role = 3 // it is probed
)

// String returns the role's name.
func (r role) String() string {
	return [...]string{"none", "active", "partial", "dead"}[r]
}

func (v View) clone() View {
	v.Active = slices.Clone(v.Active)
	v.Partial = slices.Clone(v.Partial)
	v.Dead = slices.Clone(v.Dead)
	v.Retiring = slices.Clone(v.Retiring)
	v.Generations = maps.Clone(v.Generations)
	return v
}

// counts reports whether p is an active replica.
func (v View) counts(p PeerID) bool { return slices.Contains(v.Active, p) }

// replicas is how many replicas there are, whatever their state.
func (v View) replicas() int { return len(v.Active) + len(v.Partial) + len(v.Dead) }

// others yields every replica but self, the active ones first.
func (v View) others(self PeerID, yield func(PeerID, role)) {
	for _, group := range []struct {
		role  role
		peers []PeerID
	}{{active, v.Active}, {partial, v.Partial}, {dead, v.Dead}} {
		for _, p := range group.peers {
			if p != self && p != 0 {
				yield(p, group.role)
			}
		}
	}
}
