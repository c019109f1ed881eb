package cluster

import (
	"fmt"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// look is one shard under observation.
type look struct {
	state *catalog.State
	col   *catalog.Collection
	sh    *catalog.Shard
	obs   Observations
}

func (l look) ref() catalog.ShardRef {
	return catalog.ShardRef{Collection: l.col.ID, Shard: l.sh.ID}
}

// active counts the replicas that count and whose peer is alive.
func (l look) active() int {
	n := 0
	for _, r := range l.sh.Replicas {
		if r.State == catalog.Active && l.obs.Alive(r.Peer) {
			n++
		}
	}
	return n
}

// kept counts the copies that are there to stay: not retiring, and not on a disk that is gone.
func (l look) kept() int {
	n := 0
	for _, r := range l.sh.Replicas {
		if !r.Retiring && !l.state.Gone(r.Peer) {
			n++
		}
	}
	return n
}

// primary returns what the primary says of itself.
func (l look) primary() (replica.Status, bool) {
	r, ok := l.sh.Replica(l.sh.Primary)
	if !ok {
		return replica.Status{}, false
	}
	return l.obs.status(l.ref(), r)
}

// writable reports whether a write would be taken now: the primary leads, and W replicas are active and alive.
func (l look) writable() bool {
	st, ok := l.primary()
	return ok && st.Leading && st.Term == l.sh.Term && l.obs.Alive(l.sh.Primary) && l.active() >= int(l.sh.WriteQuorum)
}

// problem tells what is not as declared and why, what stops requests first; "" when all is well.
func (l look) problem() string {
	var all []string
	add := func(text string) {
		if text != "" {
			all = append(all, text)
		}
	}
	add(l.primaryProblem())
	if n := l.active(); n < int(l.sh.WriteQuorum) {
		add(fmt.Sprintf("writes need %d of %d replicas, %d %s active", l.sh.WriteQuorum, l.col.Factor(l.sh), n, isAre(n)))
	}
	for _, r := range l.sh.Replicas {
		add(l.replicaProblem(r))
	}
	add(l.missing())
	return strings.Join(all, "; ")
}

func (l look) primaryProblem() string {
	id := l.sh.Primary
	who := name(l.state, id)
	if !l.obs.Alive(id) {
		return fmt.Sprintf("no primary: %s, the last one, %s", who, l.obs.silence(id))
	}
	if l.obs.Status == nil {
		return "" // nobody was asked
	}
	st, ok := l.primary()
	switch {
	case !ok:
		return fmt.Sprintf("the primary on %s did not tell its state", who)
	case st.Problem != "":
		return fmt.Sprintf("the primary on %s does not serve", who) // its problem follows with the replica's
	case !st.Leading || st.Term != l.sh.Term:
		return fmt.Sprintf("the primary on %s does not lead term %d yet", who, l.sh.Term)
	}
	return ""
}

func (l look) replicaProblem(r catalog.Replica) string {
	who := "replica on " + name(l.state, r.Peer)
	if r.Replaces != 0 {
		who += ", which is to take the place of that on " + name(l.state, r.Replaces) + ","
	}
	st, told := l.obs.status(l.ref(), r)
	switch {
	case l.state.Gone(r.Peer):
		return fmt.Sprintf("%s is lost: the node's disk is gone (peer %d)", who, r.Peer)
	case r.State == catalog.Dead && !l.obs.Alive(r.Peer):
		return fmt.Sprintf("%s is dead: the peer %s", who, l.obs.silence(r.Peer))
	case !l.obs.Alive(r.Peer):
		if r.Peer == l.sh.Primary {
			return "" // said of the primary already
		}
		return fmt.Sprintf("%s: the peer %s", who, l.obs.silence(r.Peer))
	case told && st.Problem != "":
		return fmt.Sprintf("%s: %s", who, st.Problem)
	case told && st.Differs != "":
		return fmt.Sprintf("%s is not read: %s", who, st.Differs)
	case r.Retiring:
		return who + " is retiring"
	case told && st.Transfer != nil:
		return who + l.transfer(*st.Transfer)
	case r.State == catalog.Dead:
		return who + " is dead: the peer answers again, its copy waits to be brought up to date"
	case r.State == catalog.Partial:
		return who + " is catching up" + l.progress(st, told)
	case !l.col.Allows(l.sh, r.Peer):
		return fmt.Sprintf("%s is to go: shard key %s may not be there", who, l.sh.Key)
	}
	return ""
}

// progress says how far a copy has come.
func (l look) progress(st replica.Status, told bool) string {
	if lead, ok := l.primary(); ok && told && st.AppliedIndex <= lead.CommitIndex {
		return fmt.Sprintf(" (%d of %d)", st.AppliedIndex, lead.CommitIndex)
	}
	return ""
}

// transfer says how far a snapshot has come, and what holds it up.
func (l look) transfer(t replica.Transfer) string {
	switch {
	case t.From != 0 && t.TotalRecords > 0:
		return fmt.Sprintf(" is being filled from a snapshot of %s (%d of %d points)", name(l.state, t.From), t.Records, t.TotalRecords)
	case t.From != 0:
		return " is being filled from a snapshot of " + name(l.state, t.From)
	case t.Problem != "":
		return fmt.Sprintf(" waits for a snapshot: attempt %d failed: %s", t.Failures, t.Problem)
	}
	return " waits for a snapshot"
}

// missing tells of copies that were declared and do not exist.
func (l look) missing() string {
	declared, actual := l.col.Factor(l.sh), l.kept()
	if actual >= declared {
		return ""
	}
	why := "no other live peer can take a copy"
	switch free, roomy := l.spare(); {
	case roomy:
		why = "another peer is about to take a copy"
	case free:
		why = "no disk of another live peer has room for a copy"
	}
	return fmt.Sprintf("under-replicated: declared %d, actual %d: %s", declared, actual, why)
}

// spare reports whether a live peer has no copy of the shard, and whether the disk of one has room for it.
func (l look) spare() (free, roomy bool) {
	_, bytes := l.size()
	for id := range l.state.Peers {
		if _, has := l.sh.Replica(id); !has && !l.state.Gone(id) && l.obs.Alive(id) && l.col.Allows(l.sh, id) {
			gauge := l.obs.gauge(id)
			free, roomy = true, roomy || reconcile.Health{DiskFree: gauge.DiskFree, DiskTotal: gauge.DiskTotal}.Room(bytes)
		}
	}
	return free, roomy
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
