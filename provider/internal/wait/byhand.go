package wait

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// grace is how long a server may take to begin by itself before the provider makes and drops copies one by one: a plain
// Qdrant never does, and a node of ours whose cluster service is not reached does.
const grace = 500 * time.Millisecond

const stateActive = "active"

// ByHand makes the copies of a collection's shards as many as are declared, by asking for each copy to be made or dropped, and
// waits for them: for servers that change the number and nothing else. It never drops the last active copy of a shard.
func ByHand(ctx context.Context, c *client.Client, name string) (Outcome, error) {
	h := hand{client: c, name: name, began: time.Now()}
	last := "the placement was not seen"
	for pause := pollFirst; ; pause = min(pause*3/2, pollMax) {
		out, progress, err := h.look(ctx)
		switch {
		case err != nil && !client.IsTransient(err):
			return Outcome{}, err
		case err == nil && progress == "":
			return out, nil
		case progress != "":
			last = progress
		case ctx.Err() == nil:
			last = err.Error()
		}
		tflog.Info(ctx, "waiting for the copies", map[string]any{"collection": name, "progress": last})
		select {
		case <-ctx.Done():
			return Outcome{}, fmt.Errorf("%w; %s", ctx.Err(), last)
		case <-time.After(pause):
		}
	}
}

// hand is one ByHand at work.
type hand struct {
	client *client.Client
	name   string
	began  time.Time
	peers  []client.PeerID // that are known to hold anything
}

// copies is one shard.
type copies struct {
	id     uint32
	all    []client.PeerID
	active []client.PeerID
	moving bool
}

func copiesOf(setup *client.CollectionSetup) []copies {
	var out []copies
	for _, r := range setup.Replicas { // ordered by shard
		if len(out) == 0 || out[len(out)-1].id != r.Shard {
			out = append(out, copies{id: r.Shard})
		}
		s := &out[len(out)-1]
		if s.all = append(s.all, r.Peer); r.State == stateActive {
			s.active = append(s.active, r.Peer)
		}
	}
	for i := range out {
		out[i].moving = slices.ContainsFunc(setup.Transfers, func(t client.ShardTransfer) bool { return t.Shard == out[i].id })
	}
	return out
}

// ReachedByHand is how many copies each shard has at least, or, while some are left over, at most.
func ReachedByHand(setup *client.CollectionSetup, declared uint32) uint32 {
	fewest, most := declared, uint32(0)
	for _, s := range copiesOf(setup) {
		fewest, most = min(fewest, uint32(len(s.active))), max(most, uint32(len(s.all)))
	}
	if fewest == declared {
		fewest = max(fewest, most)
	}
	return fewest
}

// look makes the next step of every shard and returns what is missing, or an outcome when there is nothing to wait for.
func (h *hand) look(ctx context.Context) (Outcome, string, error) {
	found, err := h.client.GetCollection(ctx, h.name)
	if err != nil {
		return Outcome{}, "", err
	}
	setup, err := h.client.Setup(ctx, h.name)
	if err != nil {
		return Outcome{}, "", err
	}
	if err := h.learn(ctx, setup); err != nil {
		return Outcome{}, "", err
	}
	declared, load := int(found.ReplicationFactor), map[client.PeerID]int{}
	for _, r := range setup.Replicas {
		load[r.Peer]++
	}
	var missing []string
	short := false
	for _, s := range copiesOf(setup) {
		if len(s.all) == declared && len(s.active) == declared {
			continue
		}
		if len(s.active) == len(s.all) && len(s.all) < declared && len(s.all) == len(h.peers) {
			short = true // it is on every peer that there is
			continue
		}
		missing = append(missing, fmt.Sprintf("shard %d: %d copies of %d declared, %d active", s.id, len(s.all), declared, len(s.active)))
		if time.Since(h.began) < grace || s.moving || len(s.active) == 0 {
			continue
		}
		if err := h.step(ctx, s, declared, load); err != nil {
			return Outcome{}, strings.Join(missing, "; "), err
		}
	}
	if len(missing) > 0 {
		return Outcome{}, strings.Join(missing, "; "), nil
	}
	if short {
		return Outcome{Short: fmt.Sprintf("replication_factor is %d, but only %d peers are known to the server by the collections that they hold.", declared, len(h.peers))}, "", nil
	}
	return Outcome{}, "", nil
}

// learn collects the peers: Qdrant's gRPC API has no list of them, but tells who holds what.
func (h *hand) learn(ctx context.Context, setup *client.CollectionSetup) error {
	add := func(s *client.CollectionSetup) {
		for _, peer := range append([]client.PeerID{s.AnsweringPeer}, peersOf(s)...) {
			if !slices.Contains(h.peers, peer) {
				h.peers = append(h.peers, peer)
			}
		}
	}
	if add(setup); len(h.peers) > 0 && time.Since(h.began) < grace {
		return nil
	}
	names, err := h.client.ListCollections(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		other, err := h.client.Setup(ctx, name)
		if client.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		add(other)
	}
	slices.Sort(h.peers)
	return nil
}

func peersOf(s *client.CollectionSetup) []client.PeerID {
	var out []client.PeerID
	for _, r := range s.Replicas {
		out = append(out, r.Peer)
	}
	return out
}

// step makes or drops one copy of a shard. That the server is busy, or does it by itself, is no error.
func (h *hand) step(ctx context.Context, s copies, declared int, load map[client.PeerID]int) error {
	var err error
	switch {
	case len(s.all) < declared:
		to, ok := least(h.peers, load, func(p client.PeerID) bool { return !slices.Contains(s.all, p) })
		if !ok {
			return nil
		}
		load[to]++
		err = h.client.ReplicateShard(ctx, h.name, client.ShardTransfer{Shard: s.id, From: s.active[0], To: to})
	case len(s.all) > declared:
		from := surplus(s, load)
		if len(s.active) == 1 && s.active[0] == from {
			return nil
		}
		load[from]--
		err = h.client.DropReplica(ctx, h.name, s.id, from)
	}
	switch client.ClassOf(err) {
	case client.ClassFailedPrecondition, client.ClassExists, client.ClassConflict, client.ClassInvalid, client.ClassUnsupported:
		tflog.Info(ctx, "the server does not do that now", map[string]any{"collection": h.name, "shard": s.id, "error": err.Error()})
		return nil
	default:
		return err
	}
}

// surplus is the copy to drop: one that is not active, else the one on the peer that holds most.
func surplus(s copies, load map[client.PeerID]int) client.PeerID {
	for _, p := range s.all {
		if !slices.Contains(s.active, p) {
			return p
		}
	}
	return slices.MaxFunc(s.all, func(a, b client.PeerID) int { return load[a] - load[b] })
}

func least(peers []client.PeerID, load map[client.PeerID]int, may func(client.PeerID) bool) (client.PeerID, bool) {
	best, found := client.PeerID(0), false
	for _, p := range peers {
		if may(p) && (!found || load[p] < load[best]) {
			best, found = p, true
		}
	}
	return best, found
}
