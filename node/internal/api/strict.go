package api

import (
	"context"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/strictmode"
)

// What a collection's owner declared as strict mode is asked in two places: begin, which all reads pass, and writeAll.

// begin holds a read to the limits of its collection, before anything of it is done, and bounds how long it takes. The caller ends
// what it returns, unless that is an error.
func (s *pointsService) begin(ctx context.Context, collection string, r strictmode.Read) (context.Context, context.CancelFunc, error) {
	if collection == "" {
		return nil, nil, invalidBody("collection_name", "value \"\" invalid, must not be empty")
	}
	found, ctx, cancel, err := s.bounded(ctx, collection, r.Timeout)
	if err != nil {
		return nil, nil, err
	}
	if err := s.strict.Read(found, r); err != nil {
		cancel()
		return nil, nil, err
	}
	return ctx, cancel, nil
}

// bounded finds a collection and bounds ctx as that allows.
func (s *pointsService) bounded(ctx context.Context, collection string, timeout *uint64) (*catalog.Collection, context.Context, context.CancelFunc, error) {
	start := time.Now()
	found, known := s.Metadata.State().Lookup(collection)
	if !known {
		looking, cancel := deadline(ctx, timeout, s.Timeout)
		defer cancel()
		var err error
		if _, found, err = s.find(looking, collection); err != nil {
			return nil, nil, nil, err
		}
	}
	ctx, cancel := context.WithDeadline(ctx, start.Add(strictmode.Timeout(found, timeout, s.Timeout)))
	return found, ctx, cancel, nil
}

// asked is what queries ask for, their prefetches included.
func asked(queries []query) []strictmode.Query {
	out := make([]strictmode.Query, 0, len(queries))
	for i := range queries {
		outer := &queries[i]
		var one [1]*query
		for _, q := range outer.appendAll(one[:0]) {
			ask := strictmode.Query{
				Inner: q != outer, Limit: q.Limit, Filter: q.own, Exact: q.Exact, EF: q.HNSWEf, Oversampling: q.Quantization.Oversampling,
			}
			if !q.unscored() && q.fusion == nil && len(q.prefetch) == 0 {
				ask.Using = &q.Using
			}
			out = append(out, ask)
		}
	}
	return out
}

// measured tells strict mode what a collection holds.
func measured(i Inspector) func(context.Context, string) (strictmode.Held, error) {
	return func(ctx context.Context, collection string) (strictmode.Held, error) {
		info, err := i.Info(ctx, collection)
		return heldOf(info), err
	}
}

func heldOf(info coordinator.Info) strictmode.Held {
	held := strictmode.Held{Points: info.Points, VectorBytes: info.Bytes - min(info.Bytes, info.PayloadBytes), PayloadBytes: info.PayloadBytes}
	for _, sh := range info.Shards {
		held.Partial = held.Partial || !sh.Answered
	}
	return held
}
