package peer

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
)

// Fence names a replica that is to promise Term (R5).
type Fence struct {
	Ref        catalog.ShardRef
	Generation catalog.Generation
	Term       uint64
	// Yield, for a replica that leads, lets it first answer the writes that it has taken: a planned move costs nobody anything.
	Yield bool
}

// FenceAnswer is a replica's answer; Answered is false when the peer has no such replica open.
type FenceAnswer struct {
	Answered                      bool
	Promised, LastTerm, LastIndex uint64
}

// maxFences bounds the replicas that are asked at once, per request: as many as a request names, for each only waits, and the more
// wait at once, the more share a write to disk.
const maxFences = 1024

// forFences is kept for the answer: replicas that have not answered by then are left out, so that a slow one does not cost the
// answers of all.
func forFences(left time.Duration) time.Duration { return left / 5 }

// FenceAll fences the replicas on this node, side by side and answers in order. Those that do not answer before ctx ends are left out.
func FenceAll(ctx context.Context, replicas Replicas, fences []Fence) []FenceAnswer {
	answers := make([]FenceAnswer, len(fences))
	gate := make(chan struct{}, maxFences)
	var wg sync.WaitGroup
	for i, f := range fences {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			if a, err := replicas.Fence(ctx, f.Ref, f.Generation, f.Term, f.Yield); err == nil {
				answers[i] = FenceAnswer{Answered: true, Promised: a.Promised, LastTerm: a.LastTerm, LastIndex: a.LastIndex}
			}
		})
	}
	wg.Wait()
	return answers
}

func fencesToWire(fences []Fence) *peerpb.FenceRequest {
	w := &peerpb.FenceRequest{}
	for _, f := range fences {
		w.Shards = append(w.Shards, &peerpb.FenceShard{Shard: refToWire(f.Ref), Generation: uint64(f.Generation), Term: f.Term, Yield: f.Yield})
	}
	return w
}

func fencesFromWire(w *peerpb.FenceRequest) ([]Fence, error) {
	fences := make([]Fence, len(w.GetShards()))
	for i, s := range w.GetShards() {
		ref, err := refFromWire(s.GetShard())
		if err != nil {
			return nil, err
		}
		fences[i] = Fence{Ref: ref, Generation: catalog.Generation(s.GetGeneration()), Term: s.GetTerm(), Yield: s.GetYield()}
	}
	return fences, nil
}

func answersToWire(answers []FenceAnswer) []*peerpb.FenceAnswer {
	ws := make([]*peerpb.FenceAnswer, len(answers))
	for i, a := range answers {
		ws[i] = &peerpb.FenceAnswer{Answered: a.Answered, Promised: a.Promised, LastTerm: a.LastTerm, LastIndex: a.LastIndex}
	}
	return ws
}

func answersFromWire(w *peerpb.FenceResponse, want int) ([]FenceAnswer, error) {
	if len(w.GetAnswers()) != want {
		return nil, fault.New(fault.Internal, "%d fence answers to %d questions", len(w.GetAnswers()), want)
	}
	answers := make([]FenceAnswer, want)
	for i, a := range w.GetAnswers() {
		answers[i] = FenceAnswer{
			Answered: a.GetAnswered(), Promised: a.GetPromised(), LastTerm: a.GetLastTerm(), LastIndex: a.GetLastIndex(),
		}
	}
	return answers, nil
}

// streamEnd answers a stream that its sender ended, and passes any other end on.
func streamEnd(stream grpc.ClientStreamingServer[peerpb.ReplicateRequest, peerpb.ReplicateResponse], err error) error {
	if errors.Is(err, io.EOF) {
		return stream.SendAndClose(&peerpb.ReplicateResponse{})
	}
	return err
}
