package catalog

import (
	"slices"
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// changeShard is a compare-and-set on the shard's version. Beyond that version, what it refuses depends on the
// command and the shard alone, never on what may change without the version moving: a primary whose wish was
// refused waits for a newer version, and would wait for ever.
func (e *edit) changeShard(cmd ChangeShard) (uint64, error) {
	col, sh, ok := e.next.Shard(cmd.Ref)
	if !ok {
		return 0, fault.New(fault.NotFound, "shard %d of collection %d does not exist", cmd.Ref.Shard, cmd.Ref.Collection)
	}
	if sh.Version != cmd.Version {
		return 0, fault.New(fault.Conflict, "shard %d of collection %d has version %d, not %d",
			cmd.Ref.Shard, cmd.Ref.Collection, sh.Version, cmd.Version).With("version", strconv.FormatUint(sh.Version, 10))
	}
	change, err := e.shardChange(col, sh, cmd)
	if err != nil {
		return 0, err
	}
	next := e.shard(cmd.Ref)
	change(next)
	next.Version++
	return next.Version, nil
}

// shardChange checks a command against the shard and returns what it does to it.
func (e *edit) shardChange(col *Collection, sh *Shard, cmd ChangeShard) (func(*Shard), error) {
	if err := cmd.shape(); err != nil {
		return nil, err
	}
	switch {
	case cmd.Demote != nil:
		return demote(sh, *cmd.Demote)
	case cmd.Receive != nil:
		return receive(sh, *cmd.Receive)
	case cmd.Activate != nil:
		return activate(sh, *cmd.Activate)
	case cmd.Rebuild != nil:
		return e.rebuild(sh, *cmd.Rebuild)
	case cmd.SetWriteQuorum != nil:
		return setWriteQuorum(*cmd.SetWriteQuorum)
	case cmd.Promote != nil:
		return promote(col, sh, *cmd.Promote)
	case cmd.AddReplica != nil:
		return e.addReplica(sh, *cmd.AddReplica)
	case cmd.DropReplica != nil:
		return dropReplica(sh, *cmd.DropReplica)
	case cmd.Retire != nil:
		return retire(sh, *cmd.Retire)
	case cmd.Replace != nil:
		return e.replaceReplica(sh, *cmd.Replace)
	case cmd.Settle != nil:
		return settle(sh, *cmd.Settle)
	}
	return handover(sh, *cmd.Handover)
}

func (c ChangeShard) shape() error {
	set := 0
	for _, is := range []bool{
		c.Demote != nil, c.Receive != nil, c.Activate != nil, c.Rebuild != nil, c.SetWriteQuorum != nil, c.Promote != nil,
		c.AddReplica != nil, c.DropReplica != nil, c.Retire != nil, c.Replace != nil, c.Settle != nil, c.Handover != nil,
	} {
		if is {
			set++
		}
	}
	if set != 1 {
		return invalid("a shard command must make exactly one change, this one makes %d", set)
	}
	return nil
}

// held finds a replica and its place.
func held(sh *Shard, id PeerID) (int, Replica, error) {
	i, ok := sh.find(id)
	if !ok {
		return 0, Replica{}, fault.New(fault.NotFound, "peer %d holds no replica of shard %d", id, sh.ID)
	}
	return i, sh.Replicas[i], nil
}

func setState(i int, to ReplicaState) func(*Shard) {
	return func(sh *Shard) { sh.Replicas[i].State = to }
}

func demote(sh *Shard, id PeerID) (func(*Shard), error) {
	i, r, err := held(sh, id)
	switch {
	case err != nil:
		return nil, err
	case r.State == Dead:
		return nil, refuse("the replica on peer %d is demoted already", id)
	case r.State == Active && len(sh.Active()) == 1:
		return nil, refuse("the replica on peer %d is the last active one of shard %d", id, sh.ID)
	case sh.Primary == id:
		return nil, refuse("peer %d is the primary of shard %d and cannot be demoted", id, sh.ID)
	}
	return setState(i, Dead), nil
}

func receive(sh *Shard, id PeerID) (func(*Shard), error) {
	i, r, err := held(sh, id)
	switch {
	case err != nil:
		return nil, err
	case r.State != Dead:
		return nil, refuse("the replica on peer %d is %s, not Dead", id, r.State)
	case r.Retiring:
		return nil, refuse("the replica on peer %d is being retired", id)
	}
	return setState(i, Partial), nil
}

func activate(sh *Shard, id PeerID) (func(*Shard), error) {
	i, r, err := held(sh, id)
	switch {
	case err != nil:
		return nil, err
	case r.State != Partial:
		return nil, refuse("the replica on peer %d is %s, not Partial", id, r.State)
	case r.Retiring:
		return nil, refuse("the replica on peer %d is being retired", id)
	}
	return func(sh *Shard) { sh.Replicas[i].State, sh.Replicas[i].Previous = Active, 0 }, nil
}

// rebuild gives a replica that cannot be brought up to date from the log a new generation. The one that it replaces is kept in
// mind; of several rebuilds in a row the first, for only that one ever held all it should.
func (e *edit) rebuild(sh *Shard, id PeerID) (func(*Shard), error) {
	i, r, err := held(sh, id)
	switch {
	case err != nil:
		return nil, err
	case r.State == Active:
		return nil, refuse("the replica on peer %d is active: its primary must demote it first", id)
	case r.Retiring:
		return nil, refuse("the replica on peer %d is being retired", id)
	}
	if r.Previous == 0 {
		r.Previous = r.Generation
	}
	return func(sh *Shard) {
		r.Generation, r.State = e.generation(), Partial
		sh.Replicas[i] = r
	}, nil
}

func setWriteQuorum(w uint32) (func(*Shard), error) {
	if w < 1 || w > MaxReplicas {
		return nil, outside("write quorum", w, 1, MaxReplicas)
	}
	return func(sh *Shard) { sh.WriteQuorum = w }, nil
}

// promote leaves the old primary active: only its successor may demote it (R2, R3). If it was to be somewhere else, it is now, and the larger W that this took ends in the same moment, as
// if the new primary had lowered it before all else: its first write must not have to wait for a copy that is about to go.
func promote(col *Collection, sh *Shard, p Promote) (func(*Shard), error) {
	i, r, err := held(sh, p.Candidate)
	switch {
	case err != nil:
		return nil, err
	case r.State != Active:
		return nil, refuse("the replica on peer %d is %s: only an active one can become primary", p.Candidate, r.State)
	case p.Term <= sh.Term:
		return nil, refuse("term %d is not higher than the shard's term %d", p.Term, sh.Term)
	}
	return func(sh *Shard) {
		if sh.Primary != p.Candidate && sh.Handover {
			sh.Handover = false
			sh.WriteQuorum = min(sh.WriteQuorum, uint32(col.Quorum(sh)))
		}
		sh.Term, sh.Primary = p.Term, p.Candidate
		sh.Replicas[i].Retiring = false // a primary is never retiring: another copy will be, if one is too many
		if p.Unsafe {
			sh.UnsafePromotions++
		}
	}, nil
}

func (e *edit) addReplica(sh *Shard, id PeerID) (func(*Shard), error) {
	i, ok := sh.find(id)
	switch {
	case ok:
		return nil, fault.New(fault.Exists, "peer %d holds a replica of shard %d already", id, sh.ID)
	case e.next.Gone(id):
		return nil, fault.New(fault.NotFound, "Peer %d does not exist", id)
	case len(sh.Replicas) >= 2*MaxReplicas:
		return nil, refuse("shard %d has %d replicas: retire some first", sh.ID, len(sh.Replicas))
	}
	return func(sh *Shard) {
		sh.Replicas = slices.Insert(sh.Replicas, i, Replica{Peer: id, Generation: e.generation(), State: Partial})
	}, nil
}

func dropReplica(sh *Shard, id PeerID) (func(*Shard), error) {
	i, r, err := held(sh, id)
	switch {
	case err != nil:
		return nil, err
	case sh.Primary == id:
		return nil, refuse("peer %d is the primary of shard %d: its replica cannot be dropped", id, sh.ID)
	case r.State == Active:
		return nil, refuse("the replica on peer %d is active: its primary must demote it first", id)
	}
	return func(sh *Shard) {
		sh.Replicas = slices.Delete(sh.Replicas, i, i+1)
		for j := range sh.Replicas {
			if sh.Replicas[j].Replaces == id {
				sh.Replicas[j].settle()
			}
		}
	}, nil
}

func retire(sh *Shard, id PeerID) (func(*Shard), error) {
	i, r, err := held(sh, id)
	switch {
	case err != nil:
		return nil, err
	case sh.Primary == id:
		return nil, refuse("peer %d is the primary of shard %d: its replica cannot be retired", id, sh.ID)
	case r.Retiring:
		return nil, refuse("the replica on peer %d is being retired already", id)
	}
	return func(sh *Shard) {
		sh.Replicas[i].Retiring = true
		sh.Replicas[i].settle() // it takes nobody's place
	}, nil
}
