package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

const (
	maxLose = 100_000
	// unvotePatience bounds how long a removal waits for the peer's vote to end: before, the node must not be stopped.
	unvotePatience = 10 * time.Second
	unvoteEvery    = 50 * time.Millisecond
)

// RemovePeer removes a peer for good. It returns when the peer has no vote on the metadata any more; that its replicas are made anew
// elsewhere and forgotten there goes on after it.
func (s *Service) RemovePeer(ctx context.Context, req *clusterpb.RemovePeerRequest) (*clusterpb.RemovePeerResponse, error) {
	id := catalog.PeerID(req.GetPeer())
	if id == s.opts.Self {
		return nil, statusOf(s.notItself())
	}
	refs, err := s.shards(ctx, req.GetLose())
	if err != nil {
		return nil, statusOf(err)
	}
	before, _ := s.opts.Metadata.Watch()
	cmd := &catalog.ExpelPeer{ID: id, At: now()}
	for _, ref := range refs {
		cmd.Lose = append(cmd.Lose, catalog.Loss{Ref: ref})
	}
	if _, err := s.propose(ctx, catalog.Command{ExpelPeer: cmd}); err != nil {
		return nil, statusOf(err)
	}
	after, _ := s.opts.Metadata.Watch()
	resp := &clusterpb.RemovePeerResponse{}
	for i, ref := range refs {
		if lostSome(before, after, ref) {
			resp.Lost = append(resp.Lost, req.GetLose()[i])
		}
	}
	return resp, statusOf(s.unvoted(ctx, id))
}

// notItself refuses a removal of the peer that is asked for it: it could not tell how that ends. Clients that know others ask them.
func (s *Service) notItself() error {
	text := "this node is the one that is to be removed: ask another one"
	state, _ := s.opts.Metadata.Watch()
	for _, id := range slices.Sorted(maps.Keys(state.Peers)) {
		if p := state.Peers[id]; id != s.opts.Self && !p.Gone() && s.opts.Liveness.Alive(id) {
			text += fmt.Sprintf(", such as %s at %s", p.Name, p.GRPCAddr)
			break
		}
	}
	return fault.New(fault.FailedPrecondition, "%s", text).With("elsewhere", "true")
}

// shards finds the shards that are named as COLLECTION/SHARD.
func (s *Service) shards(ctx context.Context, names []string) ([]catalog.ShardRef, error) {
	if len(names) > maxLose {
		return nil, fault.New(fault.Invalid, "%d shards are named, at most %d are allowed", len(names), maxLose)
	}
	var refs []catalog.ShardRef
	for _, name := range names {
		at := strings.LastIndexByte(name, '/')
		number, err := strconv.ParseUint(name[at+1:], 10, 32)
		if at < 1 || err != nil {
			return nil, fault.New(fault.Invalid, "%.200q: want COLLECTION/SHARD, such as docs/3", name)
		}
		state, cols, err := s.find(ctx, []string{name[:at]})
		if err != nil {
			return nil, err
		}
		ref := catalog.ShardRef{Collection: cols[0].ID, Shard: catalog.ShardID(number)}
		if _, _, ok := state.Shard(ref); !ok {
			return nil, fault.New(fault.NotFound, "collection `%s` has no shard %d", cols[0].Name, number)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// lostSome reports whether a shard may have lost something between two states.
func lostSome(before, after *catalog.State, ref catalog.ShardRef) bool {
	_, was, known := before.Shard(ref)
	_, is, there := after.Shard(ref)
	return known && there && is.UnsafePromotions > was.UnsafePromotions
}

// lostAll reports whether nothing of a shard's copies is left.
func lostAll(was, is *catalog.Shard) bool {
	return is.UnsafePromotions > was.UnsafePromotions && !slices.ContainsFunc(is.Replicas, func(r catalog.Replica) bool {
		old, held := was.Replica(r.Peer)
		return held && old.Generation == r.Generation
	})
}

// unvoted waits until a peer has no vote.
func (s *Service) unvoted(ctx context.Context, id catalog.PeerID) error {
	ctx, cancel := context.WithTimeout(ctx, unvotePatience)
	defer cancel()
	tick := time.NewTicker(unvoteEvery)
	defer tick.Stop()
	for {
		if voters := s.opts.Raft.Voters(); len(voters) > 0 {
			if _, votes := voters[id]; !votes {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fault.New(fault.ClassOf(ctx.Err()), "the peer is removed, but still votes on the metadata: do not stop it yet, ask again")
		}
	}
}
