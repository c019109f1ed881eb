package catalog

import (
	"fmt"
	"strings"
)

// String returns the state's name, as Qdrant's API spells it.
func (s ReplicaState) String() string {
	switch s {
	case Active:
		return "Active"
	case Dead:
		return "Dead"
	case Partial:
		return "Partial"
	}
	return fmt.Sprintf("ReplicaState(%d)", uint8(s))
}

// String returns the reference as collection/shard.
func (r ShardRef) String() string { return fmt.Sprintf("%d/%d", r.Collection, r.Shard) }

// Describe returns the whole state as text, the same for equal states: for golden files and for people.
func (s *State) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %q, next collection %d, next generation %d\n", s.ClusterID, s.NextCollection, s.NextGeneration)
	for _, p := range s.SortedPeers() {
		fmt.Fprintf(&b, "peer %s\n", p.describe())
	}
	for _, c := range s.Sorted() {
		b.WriteString(c.Describe())
	}
	for _, alias := range sortedKeys(s.Aliases) {
		fmt.Fprintf(&b, "alias %s -> %s\n", alias, s.Collections[s.Aliases[alias]].Name)
	}
	return b.String()
}

func (p *Peer) describe() string {
	text := fmt.Sprintf("%d %s %s", p.ID, p.Name, p.PeerAddr)
	if p.Zone != "" {
		text += " zone=" + p.Zone
	}
	if p.Replaced {
		text += " replaced"
	}
	return text
}

// Describe returns the collection and its shards as text.
func (c *Collection) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "collection %d %s shards=%d replicas=%d consistency=%d\n",
		c.ID, c.Name, c.Config.ShardNumber, c.Config.ReplicationFactor, c.Config.WriteConsistencyFactor)
	for _, name := range sortedKeys(c.Config.Vectors) {
		v := c.Config.Vectors[name]
		fmt.Fprintf(&b, "  vector %q %d %s\n", name, v.Size, v.Distance)
	}
	for _, sh := range c.Shards {
		fmt.Fprintf(&b, "  %s\n", sh)
	}
	return b.String()
}

// String returns the shard in one line; * marks the primary.
func (sh *Shard) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "shard %d v%d t%d w%d slots", sh.ID, sh.Version, sh.Term, sh.WriteQuorum)
	for _, r := range sh.Slots {
		fmt.Fprintf(&b, " %d-%d", r.From, r.To)
	}
	b.WriteString(":")
	for _, r := range sh.Replicas {
		fmt.Fprintf(&b, " %d", r.Peer)
		if r.Peer == sh.Primary {
			b.WriteString("*")
		}
		fmt.Fprintf(&b, "(g%d %s", r.Generation, r.State)
		if r.Previous != 0 {
			fmt.Fprintf(&b, " after g%d", r.Previous)
		}
		if r.Retiring {
			b.WriteString(" retiring")
		}
		b.WriteString(")")
	}
	if sh.UnsafePromotions > 0 {
		fmt.Fprintf(&b, " unsafe=%d", sh.UnsafePromotions)
	}
	return b.String()
}
