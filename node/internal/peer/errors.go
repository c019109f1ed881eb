package peer

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// hintsOf returns the hints of the outermost classed error in err's chain.
func hintsOf(err error) map[string]string {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Hints
	}
	return nil
}

// attempt notices whether a call ever reached a connection: then its request may have been acted upon.
type attempt struct{ sent peer.Peer }

func (a *attempt) option() grpc.CallOption { return grpc.Peer(&a.sent) }

// fault classes a call's error. A failure of the transport after the request may have left carries the hint that the
// outcome is unknown; what the other side answered keeps what it said.
func (a *attempt) fault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	classed := fault.FromStatus(err)
	var e *fault.Error
	if !errors.As(classed, &e) || detailed(err) {
		return classed
	}
	if e.Class == fault.Canceled && ctx.Err() == nil {
		e = fault.New(fault.Unavailable, "%s", e.Text) // the Pool closed the connection under the call
	}
	if a.sent.Addr == nil {
		return e
	}
	return e.With(fault.HintOutcome, fault.OutcomeUnknown)
}
