package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
)

func (q *question) found(severity clusterpb.PlanFinding_Severity, code, field, format string, args ...any) {
	q.resp.Findings = append(q.resp.Findings, &clusterpb.PlanFinding{
		Severity: severity, Code: code, Field: field, Text: fmt.Sprintf(format, args...),
	})
}

// findings tells what stands against the plan or deserves attention: of the collection that is asked about, or of all.
func (q *question) findings(before, after *catalog.State, f reconcile.Forecast) {
	var cols []*catalog.Collection
	for _, col := range after.Sorted() {
		if q.collection == nil || q.col != nil && col.ID == q.col.ID {
			cols = append(cols, col)
		}
	}
	for _, col := range cols {
		q.placeable(after, col)
		if was, ok := before.Collections[col.ID]; ok {
			q.working(before, q.within(was))
		}
	}
	q.drained(before, after)
	q.room(after, f, cols)
	q.uncut(f, cols)
	q.disks(f)
	q.stuck(f)
	q.clusterwide(before, after)
}

// serving lists the peers that may hold copies: members that are in service.
func serving(s *catalog.State) []*catalog.Peer {
	return slices.DeleteFunc(s.SortedPeers(), func(p *catalog.Peer) bool { return p.Gone() || p.State == catalog.Draining })
}

// placeable tells whether there are peers and zones for as many copies as declared, of a collection and of its shard keys that have
// numbers or peers of their own; of the one key alone that is asked about.
func (q *question) placeable(s *catalog.State, col *catalog.Collection) {
	if q.key == nil {
		q.copies(s, col, nil)
	}
	for _, k := range col.Keys {
		own := k.ReplicationFactor != 0 || len(k.Peers) > 0
		if q.key == nil && own || q.key != nil && k.Key == *q.key {
			q.copies(s, col, k)
		}
	}
}

// copies is placeable for one key, or, without, for all that say nothing else.
func (q *question) copies(s *catalog.State, col *catalog.Collection, k *catalog.ShardKey) {
	what, which := col.Name, ""
	if k != nil {
		what = fmt.Sprintf("shard key %s of %s", k.Key, col.Name)
	}
	peers, factor, w := serving(s), col.Copies(k), int(col.Config.WriteConsistencyFactor)
	placed := k != nil && len(k.Peers) > 0
	if placed {
		which = " of its placement"
		peers = slices.DeleteFunc(peers, func(p *catalog.Peer) bool { return !slices.Contains(k.Peers, p.ID) })
	}
	zones := map[string]bool{}
	for _, p := range peers {
		zones[p.Zone] = true
	}
	_, without := zones[""]
	switch {
	case w > len(peers):
		q.found(clusterpb.PlanFinding_ERROR, "quorum_unreachable", "write_consistency_factor",
			"a write of %s needs %d copies, and %s%s can hold one: add peers, or lower write_consistency_factor", what, w, count(len(peers), "peer"), which)
	case factor > len(peers):
		q.found(clusterpb.PlanFinding_ERROR, "replicas_exceed_peers", "replication_factor",
			"%s is to have %d copies, and %s%s can hold one each: add peers, or lower replication_factor", what, factor, count(len(peers), "peer"), which)
	case placed: // its zones were chosen
	case factor > len(zones) && len(zones) > 1 || factor > 1 && len(zones) == 1 && !without:
		q.found(clusterpb.PlanFinding_WARNING, "zones_too_few", "replication_factor",
			"%s is to have %d copies in %s: the loss of one zone takes several of them; add peers in other zones", what, factor, count(len(zones), "zone"))
	}
	if factor == 1 {
		q.found(clusterpb.PlanFinding_WARNING, "single_copy", "replication_factor",
			"%s is to have one copy: a lost node loses what it held; declare replication_factor 2 or more", what)
	}
}

// drained tells of peers that are to be drained, now or by the change, and from which something cannot go.
func (q *question) drained(before, after *catalog.State) {
	if q.collection != nil {
		return
	}
	for _, p := range after.SortedPeers() {
		if p.Gone() || p.State != catalog.Draining || q.peer != nil && catalog.PeerID(q.peer.GetPeer()) != p.ID {
			continue
		}
		if why := stuck(before, p.ID, func(id catalog.PeerID) bool { return q.obs.Peers[id].Alive }); why != "" {
			q.found(clusterpb.PlanFinding_ERROR, "drain_stuck", "state", "%s cannot be drained: %s", p.Name, why)
		}
	}
}

// working tells what of a collection does not work now.
func (q *question) working(s *catalog.State, col *catalog.Collection) {
	var short, silent []catalog.ShardID
	filling := 0
	why := map[string]bool{}
	for _, sh := range col.Shards {
		l := look{s, col, sh, q.view}
		n := l.active()
		if n < int(sh.WriteQuorum) {
			silent = append(silent, sh.ID)
		}
		if n < col.Factor(sh) {
			short = append(short, sh.ID)
		}
		for _, r := range sh.Replicas {
			if !q.view.Alive(r.Peer) && !s.Gone(r.Peer) {
				why[name(s, r.Peer)+" "+q.view.silence(r.Peer)] = true
			} else if r.State == catalog.Partial {
				filling++
			}
		}
	}
	reason := ""
	if len(why) > 0 {
		reason = ": " + strings.Join(sortedWords(why), ", ")
	}
	if len(silent) > 0 {
		q.found(clusterpb.PlanFinding_ERROR, "quorum_unreachable", "",
			"%s of %s: no writes, for too few copies count for the write consistency%s; bring the peers back", list(silent, len(col.Shards)), col.Name, reason)
	}
	if len(short) > 0 {
		q.found(clusterpb.PlanFinding_WARNING, "under_replicated", "",
			"%s of %s: fewer copies work than declared%s%s", list(short, len(col.Shards)), col.Name, reason, healing(s, len(why)))
	}
	if filling > 0 {
		q.found(clusterpb.PlanFinding_INFO, "transfers_running", "", "%s of %s are being brought up to date: wait, or see ostraka watch", count(filling, "replica"), col.Name)
	}
}

// healing tells what the cluster will do about copies on so many peers that do not answer.
func healing(s *catalog.State, away int) string {
	after := s.Settings.ReplaceAfter()
	switch {
	case away == 0:
		return ""
	case s.Settings.IsPaused():
		return "; none is made anew elsewhere while the cluster is paused"
	case after == 0:
		return "; none is made anew elsewhere, for the settings say never to"
	}
	return fmt.Sprintf("; made anew elsewhere, where there is a peer for it, once away for %s", after)
}

func sortedWords(words map[string]bool) []string {
	list := make([]string, 0, len(words))
	for w := range words {
		list = append(list, w)
	}
	slices.Sort(list)
	return list
}

// room tells of copies that will lack although there are peers for them: their disks are too small.
func (q *question) room(after *catalog.State, f reconcile.Forecast, cols []*catalog.Collection) {
	peers := len(serving(after))
	for _, col := range cols {
		end, ok := f.State.Collections[col.ID]
		if !ok {
			continue
		}
		var lacking []catalog.ShardID
		var bytes uint64
		for _, sh := range q.within(end).Shards {
			ref := catalog.ShardRef{Collection: end.ID, Shard: sh.ID}
			if q.staying(f.State, sh) < min(end.Factor(sh), peers) && q.cramped(f.State, sh, q.obs.Bytes[ref]) {
				lacking, bytes = append(lacking, sh.ID), max(bytes, q.obs.Bytes[ref])
			}
		}
		if len(lacking) > 0 {
			q.found(clusterpb.PlanFinding_ERROR, "disk_too_small", "replication_factor",
				"%s of %s: no disk has room for another copy (up to %d bytes, and a tenth of each disk, 8 GiB at most, stays free): add peers or enlarge their disks",
				list(lacking, len(end.Shards)), end.Name, bytes)
		}
	}
}

// staying counts the copies that need no other in their place: all but those of peers that have been away for too long.
func (q *question) staying(s *catalog.State, sh *catalog.Shard) (n int) {
	after := s.Settings.ReplaceAfter()
	for _, r := range sh.Replicas {
		h, p := q.obs.Peers[r.Peer], s.Peers[r.Peer]
		if away := after > 0 && !h.Alive && h.DeadFor >= after; !away || p != nil && p.State == catalog.Maintenance {
			n++
		}
	}
	return n
}

// cramped reports whether some peer could take a copy of a shard but for its disk.
func (q *question) cramped(s *catalog.State, sh *catalog.Shard, bytes uint64) bool {
	for _, p := range serving(s) {
		h := q.obs.Peers[p.ID]
		if _, has := sh.Replica(p.ID); !has && h.Alive && !h.Room(bytes) {
			return true
		}
	}
	return false
}

func (q *question) clusterwide(before, after *catalog.State) {
	if q.collection == nil && after.Members() == 2 {
		q.found(clusterpb.PlanFinding_WARNING, "two_voters", "",
			"the cluster has two members: while either is away, collections cannot change and no primary is replaced; add a third")
	}
	if before.Settings.IsPaused() {
		q.found(clusterpb.PlanFinding_WARNING, "paused", "", "the cluster is paused: nothing but failover is done until `ostraka resume`")
	}
}

// listed joins words for people, the first few of them.
func listed(words []string) string {
	if len(words) > maxListed {
		return fmt.Sprintf("%s, ... (%d in all)", strings.Join(words[:maxListed], ", "), len(words))
	}
	return strings.Join(words, ", ")
}
