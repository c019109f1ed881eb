package catalog

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// OperationID numbers operations from 1; it is never used again.
type OperationID uint64

// OperationKind says what an operation does.
type OperationKind string

// The kinds of operation.
const (
	Drain     OperationKind = "drain"     // moves the replicas of Peer to others
	Rebalance OperationKind = "rebalance" // evens out what the peers hold
	Replicate OperationKind = "replicate" // makes, moves or drops a copy by hand (PlaceShard)
	// Resharding moves slots until a collection has as many shards as declared.
	Resharding OperationKind = "reshard"
	// Fill copies points of one shard key into another, which serves once it has them (FillShardKey).
	Fill OperationKind = "fill"
)

// OperationState says how an operation stands.
type OperationState string

// The states of an operation.
const (
	Running   OperationState = "running"
	Done      OperationState = "done"
	Cancelled OperationState = "cancelled"
	Failed    OperationState = "failed"
)

// How many operations the state keeps.
const (
	MaxRunningOperations = 1024
	MaxEndedOperations   = 128
	MaxProblemBytes      = 1024
)

// Operation is something that takes long and can be waited for. The state holds only what has to survive: how far it has
// come is seen in the shards. Details of one kind stand in a field of their own.
type Operation struct {
	ID         OperationID    `json:"id"`
	Kind       OperationKind  `json:"kind"`
	State      OperationState `json:"state"`
	Collection CollectionID   `json:"collection,omitempty"`
	Name       string         `json:"name,omitempty"` // of the collection when it began
	Peer       PeerID         `json:"peer,omitempty"`
	Total      uint32         `json:"total,omitempty"` // to be moved when it began: replicas; of Resharding, slots
	Started    int64          `json:"started"`         // Unix milliseconds, by the clock of whoever asked
	Ended      int64          `json:"ended,omitempty"`
	Problem    string         `json:"problem,omitempty"` // why it ended otherwise than done

	Placement *Placement   `json:"placement,omitempty"` // of Replicate
	Reshard   *Renumbering `json:"reshard,omitempty"`   // of Resharding
	Fill      *Filling     `json:"fill,omitempty"`      // of Fill
}

// Placement is what a Replicate operation wants: a copy of Shard on To, none on From; either may be 0.
type Placement struct {
	Shard ShardID `json:"shard"`
	From  PeerID  `json:"from,omitempty"`
	To    PeerID  `json:"to,omitempty"`
	// Before and After are the shard's Pinned around it, for CancelOperation.
	Before []PeerID `json:"before,omitempty"`
	After  []PeerID `json:"after,omitempty"`
}

// EndOperation notes that a running operation has ended.
type EndOperation struct {
	ID      OperationID    `json:"id"`
	State   OperationState `json:"state"` // not Running
	Problem string         `json:"problem,omitempty"`
	At      int64          `json:"at"` // Unix milliseconds
}

// CancelOperation ends a running operation and takes back what it asked for.
type CancelOperation struct {
	ID OperationID `json:"id"`
	At int64       `json:"at"`
	// Placement is of the shards that have to be made again when resharding is cancelled; filled in by Prepare.
	Placement [][]PeerID `json:"placement,omitempty"`
}

// RebalancePeers lets the cluster place again what was placed by hand, and evens out what the peers hold.
type RebalancePeers struct {
	Collection CollectionID `json:"collection,omitempty"` // 0: all
	At         int64        `json:"at"`
}

// Operation finds an operation.
func (s *State) Operation(id OperationID) (*Operation, bool) {
	i, ok := slices.BinarySearchFunc(s.Operations, id, func(o *Operation, id OperationID) int { return int(o.ID) - int(id) })
	if !ok {
		return nil, false
	}
	return s.Operations[i], true
}

// RunningOperation finds a running operation that a function says yes to.
func (s *State) RunningOperation(is func(*Operation) bool) (*Operation, bool) {
	for _, o := range s.Operations {
		if o.State == Running && is(o) {
			return o, true
		}
	}
	return nil, false
}

// start adds an operation and returns its id.
func (e *edit) start(o Operation) (OperationID, error) {
	running := 0
	for _, known := range e.next.Operations {
		if known.State == Running {
			running++
		}
	}
	if running >= MaxRunningOperations {
		return 0, fault.New(fault.Exhausted, "%d operations are running: wait until some have ended", running)
	}
	e.next.NextOperation++
	o.ID, o.State = e.next.NextOperation, Running
	if c, ok := e.next.Collections[o.Collection]; ok {
		o.Name = c.Name
	}
	e.next.Operations = append(slices.Clone(e.next.Operations), &o)
	return o.ID, nil
}

// finish ends a running operation, and forgets the oldest that have ended.
func (e *edit) finish(id OperationID, state OperationState, problem string, at int64) {
	all := slices.Clone(e.next.Operations)
	ended := 0
	for i, o := range all {
		if o.ID == id {
			next := *o
			next.State, next.Problem, next.Ended = state, problem, max(at, o.Started)
			all[i] = &next
		}
		if all[i].State != Running {
			ended++
		}
	}
	e.next.Operations = slices.DeleteFunc(all, func(o *Operation) bool {
		if o.State == Running || ended <= MaxEndedOperations {
			return false
		}
		ended--
		return true
	})
}

// running finds an operation that is to be ended.
func (e *edit) running(id OperationID) (*Operation, error) {
	o, ok := e.next.Operation(id)
	switch {
	case !ok:
		return nil, fault.New(fault.NotFound, "operation %d does not exist, or ended so long ago that it was forgotten", id)
	case o.State != Running:
		return nil, refuse("operation %d (%s) has ended: it is %s", id, o.Kind, o.State)
	}
	return o, nil
}

func (e *edit) endOperation(cmd EndOperation) error {
	if !slices.Contains([]OperationState{Done, Cancelled, Failed}, cmd.State) {
		return invalid("an operation cannot end as %q", cmd.State)
	}
	if len(cmd.Problem) > MaxProblemBytes {
		return invalid("the problem of an operation takes %d bytes, at most %d are allowed", len(cmd.Problem), MaxProblemBytes)
	}
	o, err := e.running(cmd.ID)
	if err != nil {
		return err
	}
	e.withdraw(o)
	e.finish(cmd.ID, cmd.State, cmd.Problem, cmd.At)
	return nil
}

// cancelOperation ends an operation and takes its wish back; what has been reached stays.
func (e *edit) cancelOperation(cmd CancelOperation) error {
	o, err := e.running(cmd.ID)
	if err != nil {
		return err
	}
	switch o.Kind {
	case Drain:
		if p, ok := e.next.Peers[o.Peer]; ok && p.State == Draining {
			e.peer(o.Peer).State = InService
		}
	case Replicate:
		e.takeBack(o)
	case Resharding:
		if c, g, ok := e.groupOf(o); ok && g.Number == o.Reshard.To {
			back := Reshard{Collection: c.ID, Key: o.Reshard.Key, ShardNumber: o.Reshard.From, Placement: cmd.Placement, At: cmd.At}
			_, err := e.renumber(c, g, back, "it was cancelled: an operation of its own returns to the number of shards before")
			return err
		}
	case Fill:
		e.withdraw(o)
	case Rebalance: // the moves under way are given up by the reconciler
	}
	e.finish(cmd.ID, Cancelled, "it was cancelled", cmd.At)
	return nil
}

// groupOf finds the shards that a Resharding operation is about.
func (e *edit) groupOf(o *Operation) (*Collection, Group, bool) {
	c, ok := e.next.Collections[o.Collection]
	if !ok {
		return nil, Group{}, false
	}
	g, err := c.Group(o.Reshard.Key)
	return c, g, err == nil
}

// takeBack restores what was declared of a shard before a Replicate operation. What was asked for after it stays.
func (e *edit) takeBack(o *Operation) {
	ref := ShardRef{Collection: o.Collection, Shard: o.Placement.Shard}
	c, sh, ok := e.next.Shard(ref)
	if !ok || len(sh.Pinned) == 0 {
		return
	}
	pinned := o.Placement.Before
	if !slices.Equal(sh.Pinned, o.Placement.After) {
		pinned = repinned(sh.Pinned, o.Placement.To, o.Placement.From)
	}
	if len(sh.Pinned) > 0 && len(pinned) == 0 && len(o.Placement.Before) > 0 {
		return // the only place left
	}
	if !c.keyOf(sh).allowsAll(pinned) {
		pinned = nil // its key may no longer be where it was
	}
	next := e.shard(ref)
	next.Pinned = e.next.tenable(c, sh, pinned)
	next.Version++
}

func (e *edit) rebalance(cmd RebalancePeers) (OperationID, error) {
	if cmd.Collection != 0 {
		if _, ok := e.next.Collections[cmd.Collection]; !ok {
			return 0, fault.New(fault.NotFound, "collection %d does not exist", cmd.Collection)
		}
	}
	same := func(o *Operation) bool { return o.Kind == Rebalance && o.Collection == cmd.Collection }
	if o, ok := e.next.RunningOperation(same); ok {
		e.unpin(cmd.Collection, all)
		return o.ID, nil
	}
	id, err := e.start(Operation{Kind: Rebalance, Collection: cmd.Collection, Started: cmd.At})
	if err == nil {
		e.unpin(cmd.Collection, all)
	}
	return id, err
}

// unpin lets some shards of a collection, or of all (0), be placed by the cluster again.
func (e *edit) unpin(id CollectionID, which func(*Collection, *Shard) bool) {
	for ref, sh := range e.next.Shards() {
		if len(sh.Pinned) > 0 && (id == 0 || ref.Collection == id) && which(e.next.Collections[ref.Collection], sh) {
			next := e.shard(ref)
			next.Pinned = nil
			next.Version++
		}
	}
}

func all(*Collection, *Shard) bool { return true }

// follows reports whether the collection's number of replicas is a shard's.
func follows(c *Collection, sh *Shard) bool {
	k := c.keyOf(sh)
	return k == nil || k.ReplicationFactor == 0
}
