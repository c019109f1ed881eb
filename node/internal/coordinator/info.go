package coordinator

import (
	"context"
	"fmt"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// Info sums up what a collection holds.
type Info struct {
	Points  uint64 // approximate: each shard's as one replica knows it at this moment
	Vectors uint64
	Bytes   uint64
	// PayloadBytes is the payloads' part of Bytes.
	PayloadBytes uint64
	Indexed      uint64      // vectors in graphs
	Shards       []ShardInfo // ordered by id
	// Indexing tells that some active replica is putting vectors into graphs, or has yet to hear of what is declared now; Problems
	// why others gave that up.
	Indexing bool
	Problems []string
	// Fields are the declared payload indexes by path.
	Fields map[string]FieldInfo
}

// FieldInfo is how far a payload index is.
type FieldInfo struct {
	Points uint64 // that it holds
	Ready  bool   // every active replica whose peer lives has it complete, as it is declared
}

// ShardInfo is what is known of one shard.
type ShardInfo struct {
	ID       catalog.ShardID
	Answered bool // a replica told; else the numbers are 0
	Points   uint64
	Vectors  uint64
	Bytes    uint64
	Replicas []ReplicaInfo // as the catalog lists them
}

// ReplicaInfo is one replica, as the catalog has it and as it says itself.
type ReplicaInfo struct {
	catalog.Replica
	Alive    bool
	Answered bool
	Status   replica.Status // zero unless Answered
}

// Statuses is what replicas say of themselves, by peer and shard. A replica whose peer did not answer is missing.
type Statuses map[catalog.PeerID]map[catalog.ShardRef]replica.Status

// Of returns the status of one replica, if that incarnation answered.
func (s Statuses) Of(ref catalog.ShardRef, r catalog.Replica) (replica.Status, bool) {
	st, ok := s[r.Peer][ref]
	return st, ok && st.Generation == r.Generation
}

// Statuses asks the live peers that hold replicas of refs, side by side; a peer that does not answer within
// Options.StatusTimeout is left out. It never fails.
func (c *Coordinator) Statuses(ctx context.Context, refs []catalog.ShardRef) Statuses {
	ctx, cancel := context.WithTimeout(ctx, c.opts.StatusTimeout)
	defer cancel()
	state, _ := c.opts.Metadata.Watch()
	asked := map[catalog.PeerID][]catalog.ShardRef{}
	for _, ref := range refs {
		_, sh, ok := state.Shard(ref)
		if !ok {
			continue
		}
		for _, r := range sh.Replicas {
			if c.opts.Liveness.Alive(r.Peer) {
				asked[r.Peer] = append(asked[r.Peer], ref)
			}
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := Statuses{}
	for id, refs := range asked {
		wg.Go(func() {
			answers, err := c.status(ctx, id, refs)
			if err != nil {
				c.opts.Logger.Debug("peer did not tell of its replicas", "peer", uint64(id), "error", err)
				return
			}
			byRef := make(map[catalog.ShardRef]replica.Status, len(answers))
			for _, st := range answers {
				byRef[st.Ref] = st
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[id] = byRef
		})
	}
	wg.Wait()
	return statuses
}

func (c *Coordinator) status(ctx context.Context, id catalog.PeerID, refs []catalog.ShardRef) ([]replica.Status, error) {
	if id == c.opts.Self {
		return c.opts.LocalStatus.Status(refs), nil
	}
	return c.opts.RemoteStatus.Status(ctx, id, refs)
}

// Info sums up a collection from what its replicas say at this moment.
func (c *Coordinator) Info(ctx context.Context, collection string) (Info, error) {
	col, err := c.Lookup(ctx, collection)
	if err != nil {
		return Info{}, err
	}
	refs := make([]catalog.ShardRef, len(col.Shards))
	for i, sh := range col.Shards {
		refs[i] = catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
	}
	return summarise(col, c.Statuses(ctx, refs), c.opts.Liveness.Alive), nil
}

// summarise counts each shard once: by its primary if that answered, else by the active replica that applied most.
func summarise(col *catalog.Collection, statuses Statuses, alive func(catalog.PeerID) bool) Info {
	info, declared := Info{Fields: fieldsOf(col)}, replica.SchemaOf(col).Mark()
	for _, sh := range col.Shards {
		ref := catalog.ShardRef{Collection: col.ID, Shard: sh.ID}
		s := ShardInfo{ID: sh.ID}
		var best replica.Status
		for _, r := range sh.Replicas {
			st, ok := statuses.Of(ref, r)
			s.Replicas = append(s.Replicas, ReplicaInfo{Replica: r, Alive: alive(r.Peer), Answered: ok, Status: st})
			info.unready(col, r, st, alive(r.Peer))
			if !ok || r.State != catalog.Active {
				continue
			}
			info.Indexing = info.Indexing || st.Indexing || st.Schema != 0 && st.Schema != declared
			if st.IndexProblem != "" {
				info.Problems = append(info.Problems, fmt.Sprintf("shard %d on peer %d: %s", sh.ID, r.Peer, st.IndexProblem))
			}
			if !s.Answered || r.Peer == sh.Primary || (!best.Leading && st.AppliedIndex > best.AppliedIndex) {
				best = st
				best.Leading = r.Peer == sh.Primary
			}
			s.Answered = true
		}
		s.Points, s.Vectors, s.Bytes = best.Points, best.Vectors, best.Bytes
		info.Indexed, info.PayloadBytes = info.Indexed+best.Indexed, info.PayloadBytes+best.PayloadBytes
		info.countFields(best)
		info.Points, info.Vectors, info.Bytes = info.Points+s.Points, info.Vectors+s.Vectors, info.Bytes+s.Bytes
		info.Shards = append(info.Shards, s)
	}
	return info
}

// fieldsOf lists the payload indexes, which are ready until a replica is seen that lacks one.
func fieldsOf(col *catalog.Collection) map[string]FieldInfo {
	fields := make(map[string]FieldInfo, len(col.PayloadSchema))
	for path := range col.PayloadSchema {
		fields[path] = FieldInfo{Ready: true}
	}
	return fields
}

// unready notes the payload indexes that a replica lacks, if it is one that reads may ask. Of one that did not answer, st is
// the zero Status.
func (i *Info) unready(col *catalog.Collection, r catalog.Replica, st replica.Status, alive bool) {
	if r.State != catalog.Active || !alive {
		return
	}
	for path, declared := range col.PayloadSchema {
		if has := st.Fields[path]; !has.Ready || has.Spec != replica.FieldOf(declared).String() {
			f := i.Fields[path]
			f.Ready = false
			i.Fields[path] = f
		}
	}
}

func (i *Info) countFields(st replica.Status) {
	for path, has := range st.Fields {
		if f, declared := i.Fields[path]; declared {
			f.Points += has.Points
			i.Fields[path] = f
		}
	}
}
