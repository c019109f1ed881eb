package move

import "github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"

// Step is what the driver of one side of a move does next.
type Step uint8

// The steps. Each may be repeated, and what it appends does nothing where it is out of place.
const (
	Wait     Step = iota // for the other side, or for the catalog
	DoOpen               // append Open
	DoPass               // bring the target up to date with the source; once a pass is small, change the phase to sealing
	DoLast               // the last pass: the source seals and sends what has changed
	DoFlip               // give the slots to the target
	DoAbort              // the phase is to go back to copying: this attempt cannot succeed
	DoAccept             // append Accept
	DoForget             // append Forget
	DoUnseal             // append what ends the seal (Standing.Ends)
	DoDrop               // append Drop
	DoDone               // tell the catalog that this side has cleaned up
)

// TargetStep decides for the target's primary, whose state is applied up to its TermStart at least. sure tells that its driver has seen
// a last pass of the move's version end well, in this term: what that brought is committed here, and the seal stands at the source (M5).
func TargetStep(m *catalog.Move, s *State, sure bool) Step {
	in, ok := s.Incoming(m.ID)
	switch m.Phase {
	case catalog.Copying:
		if !ok {
			return DoOpen
		}
		return DoPass
	case catalog.Sealing:
		switch {
		case !ok || in.Cursor == 0:
			return DoAbort // the state was lost with unsafe promotions
		case sure:
			return DoFlip
		}
		return DoLast
	case catalog.Ready:
		if !ok || in.Cursor == 0 {
			return DoAbort
		}
	case catalog.Moved:
		switch {
		case m.TargetDone:
			return Wait
		case !ok:
			return DoDone
		case !in.Accepted:
			return DoAccept
		}
		return DoForget
	case catalog.Withdrawn:
		switch {
		case m.TargetDone:
			return Wait
		case ok:
			return DoDrop
		}
		return DoDone
	}
	return Wait
}

// SourceStep decides for the source's primary. rows tells whether it holds rows of the slots.
func SourceStep(m *catalog.Move, s *State, rows bool) Step {
	_, sealed := s.Seal(m.ID)
	_, dropping := s.Dropped(m.ID)
	switch {
	case m.Running() || m.SourceDone:
		return Wait
	case m.Phase == catalog.Moved && m.Fill == 0 && (sealed || dropping || rows):
		return DoDrop
	case sealed:
		return DoUnseal
	}
	return DoDone
}
