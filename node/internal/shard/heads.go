package shard

import (
	"context"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// heads is what stands before the vectors of all points, in the order of ids. It is read ahead, beside who takes it.
type heads struct {
	wg      sync.WaitGroup
	cancel  context.CancelFunc
	batches chan []kv.Head // closed at the end
	batch   []kv.Head      // what was received and not taken
	err     error          // what the reading ended with; to be read once batches is closed
}

// headsBatch is how many are passed on at a time.
const headsBatch = 1024

func headsOf(v *kv.View, generation uint64) *heads {
	ctx, cancel := context.WithCancel(context.Background())
	h := &heads{cancel: cancel, batches: make(chan []kv.Head, 4)}
	h.wg.Go(func() {
		defer close(h.batches)
		h.err = h.read(ctx, v, generation)
	})
	return h
}

func (h *heads) read(ctx context.Context, v *kv.View, generation uint64) error {
	batch := make([]kv.Head, 0, headsBatch)
	send := func() error {
		select {
		case h.batches <- batch:
			batch = make([]kv.Head, 0, headsBatch)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := v.ScanVectorHeads(ctx, generation, func(head kv.Head) (bool, error) {
		if batch = append(batch, head); len(batch) < headsBatch {
			return true, nil
		}
		return true, send()
	})
	if err != nil {
		return err
	}
	return send()
}

// close ends the reading. It must be called.
func (h *heads) close() {
	h.cancel()
	h.wg.Wait()
}

// next returns the first that was not taken, nil at the end.
func (h *heads) next() (*kv.Head, error) {
	for len(h.batch) == 0 {
		batch, ok := <-h.batches
		if !ok {
			return nil, h.err
		}
		h.batch = batch
	}
	return &h.batch[0], nil
}

// of takes that of a point, which follows on all that were asked for before; nil if it has none. One of a point that was not
// asked for is an error.
func (h *heads) of(id point.ID) (*kv.Head, error) {
	head, err := h.next()
	if head == nil || err != nil || id.Compare(head.ID) < 0 {
		return nil, err
	}
	if head.ID != id {
		return nil, lonely(head.ID)
	}
	h.batch = h.batch[1:]
	return head, nil
}

// end returns an error if not all were taken.
func (h *heads) end() error {
	head, err := h.next()
	if head != nil && err == nil {
		err = lonely(head.ID)
	}
	return err
}

func lonely(id point.ID) error {
	return fault.New(fault.Corrupt, "point %s has vectors but no payload record", id)
}
