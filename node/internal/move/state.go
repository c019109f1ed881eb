package move

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// State is what a shard knows of its moves. It is the outcome of the log up to the applied index, like the points, and stored with it. A
// State is immutable; nil is the empty one.
type State struct {
	In     []Incoming `json:"in,omitempty"`     // by move
	Sealed []Sealed   `json:"sealed,omitempty"` // by move
	Drops  []Dropping `json:"drops,omitempty"`  // by move
	// Epoch is the oldest of which a reader may be: older ones may look for rows here that were dropped (M8).
	Epoch uint64 `json:"epoch,omitempty"`
}

// Incoming is what a target knows of a move.
type Incoming struct {
	Move  catalog.MoveID `json:"move"`
	Slots []slot.Range   `json:"slots"`

	// Unsafe is the source's number of unsafe promotions that all of this is of. Nothing is, while Cuts is 0.
	Unsafe uint64 `json:"unsafe,omitempty"`
	Cuts   uint64 `json:"cuts,omitempty"` // the newest of the source's indexes that a row may be as of

	// The points up to Through (all, with Full) are as the source had them at Since or later.
	Through []byte `json:"through,omitempty"`
	Full    bool   `json:"full,omitempty"`
	Since   uint64 `json:"since,omitempty"`

	Pass  uint64 `json:"pass,omitempty"` // the cut of the pass over all points that is under way, and where it is
	At    []byte `json:"at,omitempty"`
	Delta uint64 `json:"delta,omitempty"` // the cut of the delta that is under way, and its next piece
	Part  uint32 `json:"part,omitempty"`

	// Cursor, if not 0, says that everything is as of this index of the source, but for deltas that are under way.
	Cursor uint64 `json:"cursor,omitempty"`
	// Sealed says that the source was at Cursor about to be sealed by this version of the move, or was so already, and that this came at Index of
	// this log. Whether that seal stands, the log here does not know.
	Sealed   uint64 `json:"sealed,omitempty"`
	Index    uint64 `json:"index,omitempty"`
	Accepted bool   `json:"accepted,omitempty"`
}

// Sealed is a seal on slots of a source.
type Sealed struct {
	Move    catalog.MoveID `json:"move"`
	Version uint64         `json:"version"`
	Slots   []slot.Range   `json:"slots"`
}

// Dropping is a drop of rows that is not at its end.
type Dropping struct {
	Move catalog.MoveID `json:"move"`
	At   []byte         `json:"at,omitempty"` // key of the last point that was looked at
}

// Found is what an entry found in the shard, the same on every replica.
type Found struct {
	At   []byte // by Drop: the key of the last point that it looked at
	Done bool   // by Drop: there are no more
	Rows bool   // by Open: the shard has rows of the slots, which a lost Drop has left
}

// Incoming returns what the shard knows of a move that it is the target of.
func (s *State) Incoming(id catalog.MoveID) (*Incoming, bool) {
	if s == nil {
		return nil, false
	}
	i := slices.IndexFunc(s.In, func(in Incoming) bool { return in.Move == id })
	if i < 0 {
		return nil, false
	}
	return &s.In[i], true
}

// Seal returns the seal of a move.
func (s *State) Seal(id catalog.MoveID) (Sealed, bool) {
	if s == nil {
		return Sealed{}, false
	}
	i := slices.IndexFunc(s.Sealed, func(x Sealed) bool { return x.Move == id })
	if i < 0 {
		return Sealed{}, false
	}
	return s.Sealed[i], true
}

// Dropped returns how far the drop of a move has come.
func (s *State) Dropped(id catalog.MoveID) (Dropping, bool) {
	if s == nil {
		return Dropping{}, false
	}
	i := slices.IndexFunc(s.Drops, func(x Dropping) bool { return x.Move == id })
	if i < 0 {
		return Dropping{}, false
	}
	return s.Drops[i], true
}

// Foreign returns the slots whose rows are another shard's: operations with filters pass them by (M7).
func (s *State) Foreign() (foreign slot.Set) {
	if s == nil {
		return foreign
	}
	for _, in := range s.In {
		if !in.Accepted {
			foreign = foreign.Or(slot.SetOf(in.Slots...))
		}
	}
	return foreign
}

// SealedSlots returns the slots that take no writes.
func (s *State) SealedSlots() (sealed slot.Set) {
	if s == nil {
		return sealed
	}
	for _, x := range s.Sealed {
		sealed = sealed.Or(slot.SetOf(x.Slots...))
	}
	return sealed
}

// Empty reports whether nothing is known.
func (s *State) Empty() bool {
	return s == nil || len(s.In)+len(s.Sealed)+len(s.Drops) == 0 && s.Epoch == 0
}

// Permit tells whether an entry builds on what there is. One that does not is repeated, or of a driver that was replaced: it
// does nothing.
func (s *State) Permit(op Op) error {
	switch op := op.(type) {
	case Begin:
		return s.permitBegin(op)
	case Chunk:
		in, err := s.incoming(op.Move)
		if err != nil {
			return err
		}
		if in.Pass != op.Cut || op.Cut == 0 || !bytes.Equal(in.At, op.From) || !op.Last && bytes.Compare(op.To, op.From) <= 0 {
			return outOfPlace("move %d: a chunk of the cut at %d behind %x, the pass is at %d behind %x", op.Move, op.Cut, op.From, in.Pass, in.At)
		}
	case Delta:
		return s.permitDelta(op)
	case Seal:
		if x, ok := s.Seal(op.Move); ok && x.Version > op.Version {
			return outOfPlace("move %d: a seal of version %d after one of %d", op.Move, op.Version, x.Version)
		}
	case Unseal:
		if x, ok := s.Seal(op.Move); !ok || x.Version != op.Version {
			return outOfPlace("move %d: version %d has no seal here", op.Move, op.Version)
		}
	case Drop:
		if in, ok := s.Incoming(op.Move); ok && in.Accepted {
			return outOfPlace("move %d: its slots were accepted", op.Move)
		}
	}
	return nil
}

func (s *State) incoming(id catalog.MoveID) (*Incoming, error) {
	in, ok := s.Incoming(id)
	_, dropping := s.Dropped(id)
	switch {
	case !ok:
		return nil, outOfPlace("move %d was not begun here", id)
	case in.Accepted || dropping:
		return nil, outOfPlace("move %d is over here", id)
	}
	return in, nil
}

func (s *State) permitBegin(op Begin) error {
	in, err := s.incoming(op.Move)
	if err != nil {
		return err
	}
	if op.Cut == 0 || op.Unsafe < in.Unsafe || op.Unsafe == in.Unsafe && op.Cut < in.Cuts {
		return outOfPlace("move %d: a cut at %d (%d) after one at %d (%d)", op.Move, op.Cut, op.Unsafe, in.Cuts, in.Unsafe)
	}
	return nil
}

// permitDelta: a cut never goes back, for a row that is as of a later one would stay so.
func (s *State) permitDelta(op Delta) error {
	in, err := s.incoming(op.Move)
	if err != nil {
		return err
	}
	inPlace := op.Part == 0 && op.To >= in.Cuts || op.Part > 0 && op.To == in.Delta && op.Part == in.Part
	if in.Cursor == 0 || op.After != in.Cursor || op.To < op.After || !inPlace {
		return outOfPlace("move %d: piece %d of a delta from %d to %d, it is at %d and piece %d of %d", op.Move, op.Part, op.After, op.To, in.Cursor, in.Part, in.Delta)
	}
	return nil
}

func outOfPlace(format string, args ...any) error { return fault.New(fault.Conflict, format, args...) }

// After returns the state after an entry that is permitted, at its index of the log.
func (s *State) After(op Op, index uint64, found Found) *State {
	next := s.clone()
	switch op := op.(type) {
	case Open:
		if _, ok := next.Incoming(op.Move); !ok {
			next.In = append(next.In, Incoming{Move: op.Move, Slots: op.Slots, Full: found.Rows})
			slices.SortFunc(next.In, func(a, b Incoming) int { return int(a.Move) - int(b.Move) })
		}
	case Begin:
		in, _ := next.Incoming(op.Move)
		in.begin(op)
	case Chunk:
		in, _ := next.Incoming(op.Move)
		in.chunk(op)
	case Delta:
		in, _ := next.Incoming(op.Move)
		in.delta(op, index)
	case Accept:
		if in, ok := next.Incoming(op.Move); ok {
			*in = Incoming{Move: in.Move, Slots: in.Slots, Accepted: true}
		}
	case Forget:
		next.In = slices.DeleteFunc(next.In, func(in Incoming) bool { return in.Move == op.Move })
		next.Drops = slices.DeleteFunc(next.Drops, func(x Dropping) bool { return x.Move == op.Move })
	case Seal:
		next.unseal(op.Move)
		next.Sealed = append(next.Sealed, Sealed(op))
		slices.SortFunc(next.Sealed, func(a, b Sealed) int { return int(a.Move) - int(b.Move) })
	case Unseal:
		next.unseal(op.Move)
	case Drop:
		next.drop(op, found)
	}
	if next.Empty() {
		return nil
	}
	return next
}

func (s *State) clone() *State {
	if s == nil {
		return &State{}
	}
	return &State{In: slices.Clone(s.In), Sealed: slices.Clone(s.Sealed), Drops: slices.Clone(s.Drops), Epoch: s.Epoch}
}

func (s *State) unseal(id catalog.MoveID) {
	s.Sealed = slices.DeleteFunc(s.Sealed, func(x Sealed) bool { return x.Move == id })
}

// drop ends the seal: whoever appends a Drop knows that the slots are the target's, and so does every later primary.
func (s *State) drop(op Drop, found Found) {
	s.unseal(op.Move)
	s.Epoch = max(s.Epoch, op.Epoch)
	s.Drops = slices.DeleteFunc(s.Drops, func(x Dropping) bool { return x.Move == op.Move })
	if found.Done {
		s.In = slices.DeleteFunc(s.In, func(in Incoming) bool { return in.Move == op.Move })
		return
	}
	s.Drops = append(s.Drops, Dropping{Move: op.Move, At: found.At})
	slices.SortFunc(s.Drops, func(a, b Dropping) int { return int(a.Move) - int(b.Move) })
}

func (in *Incoming) begin(op Begin) {
	if op.Unsafe != in.Unsafe { // another history: nothing of what is here can be relied on
		in.Since, in.Cursor, in.Cuts = 0, 0, 0
	}
	in.Unsafe, in.Cuts = op.Unsafe, op.Cut
	in.Pass, in.At = op.Cut, nil
	in.Delta, in.Part, in.Sealed = 0, 0, 0
	if in.Through == nil && !in.Full {
		in.Since = op.Cut
	}
}

func (in *Incoming) chunk(op Chunk) {
	in.At = op.To
	if bytes.Compare(op.To, in.Through) > 0 {
		in.Through = op.To
	}
	if op.Last {
		in.Pass, in.At, in.Through, in.Full = 0, nil, nil, true
		in.Since, in.Cursor = op.Cut, op.Cut
	}
}

func (in *Incoming) delta(op Delta, index uint64) {
	in.Pass, in.At = 0, nil
	in.Cuts, in.Sealed = op.To, 0
	in.Delta, in.Part = op.To, op.Part+1
	if op.Last {
		in.Delta, in.Part = 0, 0
		in.Since, in.Cursor = op.To, op.To
		in.Sealed, in.Index = op.Sealed, index
	}
}

// Encode returns the state's stored form: a version byte, 1, and JSON: it is small, and a person may have to read it. The store adds a
// checksum. The empty state is no bytes.
func (s *State) Encode() []byte {
	if s.Empty() {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic("move: encode state: " + err.Error())
	}
	return append([]byte{1}, b...)
}

// DecodeState reads what Encode wrote.
func DecodeState(b []byte) (*State, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if b[0] != 1 {
		return nil, fault.New(fault.Unsupported, "the state of moves has format %d: it is of a newer version", b[0])
	}
	s := &State{}
	dec := json.NewDecoder(bytes.NewReader(b[1:]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "the state of moves")
	}
	return s, nil
}
