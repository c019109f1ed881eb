package cluster

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// declared tells what was declared of peers and of the cluster, and which operations began and ended.
func (d *differ) declared() {
	for _, id := range slices.Sorted(maps.Keys(d.after.Peers)) {
		was, known := d.before.Peers[id]
		if now := d.after.Peers[id]; known {
			d.peerDeclared(was, now)
		}
	}
	if was, now := d.before.Settings.Effective().String(), d.after.Settings.Effective().String(); was != now {
		d.add(event.SettingsChanged, event.Info, event.Event{Text: "the settings are now " + now})
	}
	for _, o := range d.after.Operations {
		was, known := d.before.Operation(o.ID)
		about := event.Event{Collection: o.Name, Peer: uint64(o.Peer)}
		if !known {
			about.Text = fmt.Sprintf("operation %d (%s) began", o.ID, o.Kind)
			if o.Reshard != nil {
				about.Text += fmt.Sprintf(": %s is cut into %s instead of %d", cutting(o), count(int(o.Reshard.To), "shard"), o.Reshard.From)
			}
			if o.Fill != nil {
				about.Text += fmt.Sprintf(": points are copied from shard key %s of %s to shard key %s", o.Fill.From, o.Name, o.Fill.To)
			}
			d.add(event.OperationBegan, event.Info, about)
		}
		if o.State == catalog.Running || known && was.State != catalog.Running {
			continue
		}
		severity := event.Info
		about.Text = fmt.Sprintf("operation %d (%s) is %s", o.ID, o.Kind, o.State)
		if o.Problem != "" {
			about.Text += ": " + o.Problem
		}
		if o.State == catalog.Failed {
			severity = event.Warn
		}
		d.add(event.OperationEnded, severity, about)
	}
}

// cutting names what a Resharding operation cuts anew.
func cutting(o *catalog.Operation) string {
	if o.Reshard.Key == nil {
		return o.Name
	}
	return fmt.Sprintf("shard key %s of %s", o.Reshard.Key, o.Name)
}

// cut tells of shards that came and went, and of slots that have another owner.
func (d *differ) cut(was, now *catalog.Collection, old map[catalog.ShardID]*catalog.Shard) {
	say := func(kind event.Kind, id catalog.ShardID, peer catalog.PeerID, format string, args ...any) {
		d.add(kind, event.Info, event.Event{
			Collection: now.Name, Shard: uint32(id), HasShard: true, Peer: uint64(peer), Text: fmt.Sprintf("shard %d of %s: ", id, now.Name) + fmt.Sprintf(format, args...),
		})
	}
	for _, sh := range now.Shards {
		before, ok := old[sh.ID]
		if !ok {
			before = &catalog.Shard{}
			say(event.ShardAdded, sh.ID, sh.Primary, "it was made, to own some of the slots; %s leads it", d.name(sh.Primary))
		}
		if more := sh.Owns() - before.Owns(); more > 0 {
			say(event.SlotsMoved, sh.ID, sh.Primary, "it owns %s more, %d of %d", count(more, "slot"), sh.Owns(), slot.Count)
		}
	}
	for _, sh := range was.Shards {
		if _, ok := now.Shard(sh.ID); !ok {
			say(event.ShardDropped, sh.ID, sh.Primary, "it is gone, its slots belong to others")
		}
	}
}

func (d *differ) peerDeclared(was, now *catalog.Peer) {
	var what []string
	if was.State != now.State {
		what = append(what, map[catalog.PeerState]string{
			catalog.InService: "is in service", catalog.Draining: "is to be drained", catalog.Maintenance: "is in maintenance",
		}[now.State])
	}
	if was.Zone != now.Zone {
		what = append(what, fmt.Sprintf("is in zone %q", now.Zone))
	}
	if !maps.Equal(was.Labels, now.Labels) {
		what = append(what, "has other labels")
	}
	for _, text := range what {
		d.add(event.PeerDeclared, event.Info, event.Event{Peer: uint64(now.ID), Text: now.Name + " " + text})
	}
}
