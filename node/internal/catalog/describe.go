package catalog

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
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
	for _, o := range s.Operations {
		fmt.Fprintf(&b, "operation %s\n", o)
	}
	if (s.Settings != Settings{}) {
		fmt.Fprintf(&b, "settings %s\n", s.Settings)
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
	if p.OwnZone != nil {
		text += " own-zone=" + *p.OwnZone
	}
	for _, key := range sortedKeys(p.Labels) {
		text += fmt.Sprintf(" %s=%q", key, p.Labels[key])
	}
	if p.State != InService {
		text += " " + string(p.State)
	}
	if p.Removed {
		text += " removed"
	}
	if p.Replaced {
		text += " replaced"
	}
	return text
}

// String returns the operation in one line.
func (o *Operation) String() string {
	text := fmt.Sprintf("%d %s %s", o.ID, o.Kind, o.State)
	if o.Collection != 0 {
		text += fmt.Sprintf(" of %d (%s)", o.Collection, o.Name)
	}
	if o.Peer != 0 {
		text += fmt.Sprintf(" peer %d", o.Peer)
	}
	if p := o.Placement; p != nil {
		text += fmt.Sprintf(" shard %d from %d to %d", p.Shard, p.From, p.To)
	}
	if r := o.Reshard; r != nil {
		text += fmt.Sprintf(" from %d to %d shards", r.From, r.To)
		if r.Key != nil {
			text += " of key " + r.Key.String()
		}
	}
	if f := o.Fill; f != nil {
		text += fmt.Sprintf(" from key %s to %s", f.From, f.To)
	}
	text += fmt.Sprintf(" total %d at %d", o.Total, o.Started)
	if o.Ended != 0 {
		text += fmt.Sprintf("-%d", o.Ended)
	}
	if o.Problem != "" {
		text += ": " + o.Problem
	}
	return text
}

// String returns the settings that are not the defaults.
func (s Settings) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(b)
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
	for _, name := range sortedKeys(c.Config.SparseVectors) {
		fmt.Fprintf(&b, "  vector %q sparse\n", name)
	}
	for _, path := range sortedKeys(c.PayloadSchema) {
		fmt.Fprintf(&b, "  index %s %s\n", path, c.PayloadSchema[path].Type)
	}
	if c.Config.Custom() {
		b.WriteString("  custom sharding\n")
	}
	for _, k := range c.Keys {
		fmt.Fprintf(&b, "  key %s shards=%d replicas=%d", k.Key, k.ShardNumber, k.ReplicationFactor)
		if len(k.Peers) > 0 {
			fmt.Fprintf(&b, " on %d", k.Peers)
		}
		if k.Partial {
			b.WriteString(" partial")
		}
		b.WriteString("\n")
	}
	for _, sh := range c.Shards {
		fmt.Fprintf(&b, "  %s\n", sh)
	}
	for _, m := range c.Moves {
		fmt.Fprintf(&b, "  %s\n", m)
	}
	return b.String()
}

// String returns the move in one line.
func (m *Move) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "move %d v%d %s from shard %d to %d, slots", m.ID, m.Version, m.Phase, m.Source, m.Target)
	writeRanges(&b, m.Slots)
	if m.Fill != 0 {
		fmt.Fprintf(&b, ", part of operation %d", m.Fill)
	}
	if m.Near {
		b.WriteString(", near")
	}
	if m.SourceDone {
		b.WriteString(", source done")
	}
	if m.TargetDone {
		b.WriteString(", target done")
	}
	return b.String()
}

func writeRanges(b *strings.Builder, ranges []slot.Range) {
	for _, r := range ranges {
		fmt.Fprintf(b, " %d-%d", r.From, r.To)
	}
}

// String returns the shard in one line; * marks the primary.
func (sh *Shard) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "shard %d v%d t%d w%d slots", sh.ID, sh.Version, sh.Term, sh.WriteQuorum)
	writeRanges(&b, sh.Slots)
	if sh.Key != nil {
		fmt.Fprintf(&b, " key %s", sh.Key)
	}
	if sh.Epoch != 0 {
		fmt.Fprintf(&b, " since epoch %d", sh.Epoch)
	}
	if sh.Floor != nil {
		fmt.Fprintf(&b, " floor %d@%d", sh.Floor.Index, sh.Floor.Unsafe)
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
		if r.Replaces != 0 {
			fmt.Fprintf(&b, " for %d: %s", r.Replaces, r.Reason)
		}
		b.WriteString(")")
	}
	if sh.Handover {
		b.WriteString(" handover")
	}
	if len(sh.Pinned) > 0 {
		fmt.Fprintf(&b, " pinned %d", sh.Pinned)
	}
	if sh.UnsafePromotions > 0 {
		fmt.Fprintf(&b, " unsafe=%d", sh.UnsafePromotions)
	}
	return b.String()
}
