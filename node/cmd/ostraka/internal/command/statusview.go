package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func idText(id client.PeerID) string { return strconv.FormatUint(uint64(id), 10) }

func (s situation) print(p *printer, now time.Time) {
	leader := "no leader is known"
	if s.cluster.Leader != 0 {
		leader = "leader " + printable(s.peerName(s.cluster.Leader))
	}
	p.printf("Cluster %s: %d of %d peers alive, %s, term %d, version %s\n\n", printable(s.cluster.ID),
		s.cluster.Alive(), len(s.cluster.Peers), leader, s.cluster.Term, printable(s.cluster.Version))
	s.printPeers(p, now)
	if len(s.collections) == 0 {
		p.printf("\nNo collections yet.\n")
		return
	}
	p.printf("\n")
	s.printCollections(p)
	p.printf("\n")
	s.printShards(p)
	if len(s.operations) > 0 {
		p.printf("\n")
		s.printOperations(p, s.operations, now)
	}
	s.printProblems(p)
}

func (s situation) printPeers(p *printer, now time.Time) {
	var rows [][]cell
	for _, peer := range s.cluster.Peers {
		state, colour := peerState(peer, now)
		rows = append(rows, []cell{{text: peer.Name}, {text: idText(peer.ID)}, {text: orDash(peer.GRPCAddress)}, {text: orDash(peer.PeerAddress)},
			{text: orDash(peer.Zone)}, {text: orDash(peer.Version)}, {text: fmt.Sprint(peer.Replicas)}, {text: fmt.Sprint(peer.Primaries)},
			{text: diskText(peer)}, {text: state, colour: colour}})
	}
	p.table([]string{"PEER", "ID", "CLIENTS AT", "PEERS AT", "ZONE", "VERSION", "REPLICAS", "LEADS", "DISK FREE", "STATE"}, rows)
}

func peerState(peer client.Peer, now time.Time) (text, colour string) {
	var words []string
	colour = green
	switch {
	case peer.Alive:
		words = append(words, "alive")
	case peer.LastSeen.IsZero():
		words, colour = append(words, "never seen"), red
	default:
		words, colour = append(words, "down, seen "+ago(now.Sub(peer.LastSeen))), red
	}
	if peer.Leader {
		words = append(words, "leader")
	}
	if peer.State != client.PeerActive && peer.State != "" {
		words = append(words, string(peer.State))
		if colour == green {
			colour = yellow
		}
	}
	if !peer.Voter {
		words = append(words, "no voter")
	}
	if peer.Replaced {
		words, colour = append(words, "replaced"), red
	}
	if len(peer.Labels) > 0 {
		words = append(words, labelsText(peer.Labels))
	}
	if peer.Problem != "" {
		words, colour = append(words, "has a problem"), red
	}
	return strings.Join(words, ", "), colour
}

func ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "just now"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days ago", d/(24*time.Hour))
	}
	return d.Truncate(time.Second).String() + " ago"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (s situation) printCollections(p *printer) {
	var rows [][]cell
	for _, c := range s.collections {
		state := cell{"as declared", green}
		if bad := badShards(c); bad > 0 {
			state = cell{fmt.Sprintf("%d of %d shards not as declared", bad, len(c.Shards)), yellow}
		}
		var points uint64
		for _, shard := range c.Shards {
			points += shardPoints(shard)
		}
		rows = append(rows, []cell{{text: c.Collection}, {text: fmt.Sprint(c.ShardNumber)}, {text: fmt.Sprint(c.ReplicationFactor)},
			{text: writes(c)}, {text: grouped(points)}, state})
	}
	p.table([]string{"COLLECTION", "SHARDS", "REPLICAS", "WRITES", "POINTS", "STATE"}, rows)
}

func writes(c client.CollectionPlacement) string {
	needed := fmt.Sprintf("%d of %d", c.WriteConsistencyFactor, c.ReplicationFactor)
	if name, ok := client.ConsistencyOf(c.WriteConsistencyFactor, c.ReplicationFactor); ok {
		return name.String() + ", " + needed
	}
	return needed
}

func badShards(c client.CollectionPlacement) int {
	bad := 0
	for _, s := range c.Shards {
		if !s.AsDeclared() {
			bad++
		}
	}
	return bad
}

// shardPoints is what the primary holds, or, when it does not answer, the most that any replica holds.
func shardPoints(s client.ShardPlacement) uint64 {
	var most uint64
	for _, r := range s.Replicas {
		if r.Peer == s.Primary && r.Alive {
			return r.Points
		}
		most = max(most, r.Points)
	}
	return most
}

func (s situation) printShards(p *printer) {
	var rows [][]cell
	for _, c := range s.collections {
		for _, shard := range c.Shards {
			state := cell{"writable", green}
			switch {
			case !shard.Writable:
				state = cell{"no writes", red}
			case !shard.AsDeclared():
				state.colour = yellow
			}
			name := fmt.Sprintf("%s/%d", c.Collection, shard.ID)
			if shard.Key != nil {
				name += fmt.Sprintf(" (%s)", shard.Key)
			}
			rows = append(rows, []cell{{text: name}, {text: grouped(shardPoints(shard))},
				{text: fmt.Sprintf("%d of %d", shard.ActiveReplicas, shard.DeclaredReplicas)}, {text: fmt.Sprint(shard.Term)}, state,
				{text: s.replicas(shard)}})
		}
	}
	p.table([]string{"SHARD", "POINTS", "ACTIVE", "TERM", "STATE", "REPLICAS (* PRIMARY)"}, rows)
}

// replicas lists where a shard's replicas are: "node-1*, node-2 (partial, 120 behind), node-3 (down)".
func (s situation) replicas(shard client.ShardPlacement) string {
	var end uint64
	for _, r := range shard.Replicas {
		end = max(end, r.LastIndex)
	}
	var out []string
	for _, r := range shard.Replicas {
		text := s.peerName(r.Peer)
		if r.Peer == shard.Primary {
			text += "*"
		}
		var notes []string
		if r.State != client.ReplicaActive {
			notes = append(notes, string(r.State))
		}
		if !r.Alive {
			notes = append(notes, "down")
		} else if r.LastIndex < end {
			notes = append(notes, fmt.Sprintf("%d behind", end-r.LastIndex))
		}
		if len(notes) > 0 {
			text += " (" + strings.Join(notes, ", ") + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// problems says what is not as declared, and why.
func (s situation) problems() []string {
	var out []string
	if s.cluster.Leader == 0 {
		out = append(out, "no leader is known: nothing can be declared or changed")
	}
	if s.paused {
		out = append(out, "the cluster is paused: nothing but failover is done until ostraka resume")
	}
	for _, peer := range s.cluster.Peers {
		switch {
		case peer.Replaced:
			out = append(out, fmt.Sprintf("peer %s (%d) came back with an empty disk under another id: what it held is gone", peer.Name, peer.ID))
		case !peer.Alive:
			out = append(out, fmt.Sprintf("peer %s (%d) does not answer", peer.Name, peer.ID))
		case peer.Problem != "":
			out = append(out, fmt.Sprintf("peer %s (%d): %s", peer.Name, peer.ID, peer.Problem))
		}
	}
	for _, c := range s.collections {
		out = append(out, s.collectionProblems(c)...)
	}
	return out
}

func (s situation) collectionProblems(c client.CollectionPlacement) []string {
	var out []string
	for _, w := range c.Warnings {
		out = append(out, c.Collection+": "+w)
	}
	for _, shard := range c.Shards {
		name := fmt.Sprintf("%s/%d: ", c.Collection, shard.ID)
		switch {
		case shard.Problem != "" && slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, shard.Problem) }):
			// A warning says it for all shards that have the same problem.
		case shard.Problem != "":
			out = append(out, name+shard.Problem)
		case !shard.Writable:
			out = append(out, name+"takes no writes")
		case shard.ActiveReplicas < shard.DeclaredReplicas:
			out = append(out, fmt.Sprintf("%s%d of %d replicas are active", name, shard.ActiveReplicas, shard.DeclaredReplicas))
		case shard.Surplus():
			out = append(out, fmt.Sprintf("%s%d replicas, %d declared: one is to take the place of another, or to go", name, len(shard.Replicas), shard.DeclaredReplicas))
		}
	}
	return out
}

// twoVoters reports whether either of two peers, when it is lost, stops all changes.
func (s situation) twoVoters() bool {
	voters := 0
	for _, peer := range s.cluster.Peers {
		if peer.Voter {
			voters++
		}
	}
	return voters == 2
}

// singlyNoted is how many shards are named in notes before they are counted instead.
const singlyNoted = 8

// notes says what is worth knowing although it is not a difference from what was declared.
func (s situation) notes() []string {
	var out []string
	if s.twoVoters() {
		out = append(out, "Two peers vote on the metadata: while either is down, nothing can be declared and no primary is replaced. Of three, one may be lost.")
	}
	var names []string
	times := uint64(0)
	for _, c := range s.collections {
		for _, shard := range c.Shards {
			if shard.UnsafePromotions > 0 {
				names, times = append(names, fmt.Sprintf("%s/%d", c.Collection, shard.ID)), times+shard.UnsafePromotions
			}
		}
	}
	if len(names) == 0 {
		return out
	}
	of := strings.Join(names, ", ")
	if len(names) > singlyNoted {
		of = fmt.Sprintf("%s and %d more shards", strings.Join(names[:singlyNoted-1], ", "), len(names)-singlyNoted+1)
	}
	return append(out, fmt.Sprintf("It has happened %s that a replica became primary without asking the old one, of %s: writes that it had acknowledged may be lost (write consistency weak).",
		countOf(int(times), "time", "times"), of))
}

func (s situation) printProblems(p *printer) {
	if problems := s.problems(); len(problems) == 0 {
		p.printf("\n%s\n", p.paint("Everything is as declared.", green))
	} else {
		p.printf("\n%s\n", p.paint("Not as declared:", bold))
		for _, text := range problems {
			p.printf("  %s\n", p.paint(printable(text), yellow))
		}
	}
	for _, text := range s.notes() {
		p.printf("\n%s\n", p.paint(printable(text), yellow))
	}
}
