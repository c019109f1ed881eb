package cluster

import (
	"context"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// eventsAtOnce is how many events are taken out of the log at a time. A reader that is slower than what happens holds
// back nobody: it finds a gap where the log has moved on.
const eventsAtOnce = 256

// WatchEvents sends what this node remembers of what happened and, if asked to follow, what happens from now on.
func (s *Service) WatchEvents(req *clusterpb.WatchEventsRequest, stream grpc.ServerStreamingServer[clusterpb.WatchEventsResponse]) error {
	return statusOf(s.watchEvents(stream.Context(), req, stream.Send))
}

func (s *Service) watchEvents(ctx context.Context, req *clusterpb.WatchEventsRequest, send func(*clusterpb.WatchEventsResponse) error) error {
	if s.opts.Events == nil {
		return fault.New(fault.Unsupported, "this node keeps no events")
	}
	after := req.GetAfter()
	if after == 0 && req.GetLast() > 0 {
		after = s.opts.Events.Last(uint64(req.GetLast()))
	}
	for {
		page := s.opts.Events.Read(after, eventsAtOnce)
		if err := sendPage(page, send); err != nil {
			return err
		}
		after = page.After
		if len(page.Events) == eventsAtOnce {
			continue
		}
		if !req.GetFollow() {
			return nil
		}
		select {
		case <-page.More:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.opts.Closing:
			return fault.New(fault.Unavailable, "this node is shutting down")
		}
	}
}

func sendPage(page event.Page, send func(*clusterpb.WatchEventsResponse) error) error {
	if page.Missed > 0 || page.Restarted {
		if err := send(&clusterpb.WatchEventsResponse{Gap: &clusterpb.Gap{Missed: page.Missed}}); err != nil {
			return err
		}
	}
	for _, e := range page.Events {
		if err := send(&clusterpb.WatchEventsResponse{Event: eventToWire(e)}); err != nil {
			return err
		}
	}
	return nil
}

func eventToWire(e event.Event) *clusterpb.Event {
	w := &clusterpb.Event{
		Cursor: e.Cursor, UnixMs: e.Time.UnixMilli(), Kind: string(e.Kind), Severity: string(e.Severity),
		Collection: e.Collection, Peer: e.Peer, Text: e.Text,
	}
	if e.HasShard {
		w.ShardId = &e.Shard
	}
	return w
}
