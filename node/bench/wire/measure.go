package wire

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
)

// K is how many neighbours are asked for.
const K = 10

// How a server is filled.
const (
	batch   = 256
	writers = 2
)

// Fill stores a set and waits until it is indexed, then until the server is at rest.
func Fill(ctx context.Context, s Server, set *dataset.Set, p Params) (l Load, err error) {
	if err := s.Create(ctx, set, p); err != nil {
		return l, err
	}
	before, err := UsageOf(s.Pid())
	if err != nil {
		return l, err
	}
	begin := time.Now()
	if err := store(ctx, s, set); err != nil {
		return l, err
	}
	l.Acknowledged = time.Since(begin)
	if err := s.Ready(ctx, set.Len()); err != nil {
		return l, err
	}
	l.Ready = time.Since(begin)
	after, err := UsageOf(s.Pid())
	l.CPU = after.CPU - before.CPU
	return l, err
}

// calmLooks is how often a server must be found calm, two seconds apart, to be at rest.
const calmLooks = 4

// Rest waits until a server takes hardly any processor time, and reads its memory.
func Rest(ctx context.Context, s Server, l *Load) error {
	const look = 2 * time.Second
	last, calm := time.Duration(-1), 0
	for range 60 {
		u, err := UsageOf(s.Pid())
		if err != nil {
			return err
		}
		l.Resident, l.RestAnonymous = u.Resident, u.Anonymous
		if calm++; last < 0 || u.CPU-last >= look/50 {
			calm = 0
		}
		if calm == calmLooks {
			return nil
		}
		last = u.CPU
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func store(ctx context.Context, s Server, set *dataset.Set) error {
	var next atomic.Int64
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for errs[w] == nil {
				from := int(next.Add(batch)) - batch
				if from >= set.Len() {
					return
				}
				errs[w] = s.Store(ctx, set, from, min(from+batch, set.Len()))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Measured is what a number of clients saw.
type Measured struct {
	Clients       int
	QPS           float64
	Recall        float64
	P50, P95, P99 time.Duration
	CPU           time.Duration // of the server, per query
}

// Searches has clients ask queries for a while.
func Searches(ctx context.Context, s Server, set *dataset.Set, clients int, span time.Duration) (Measured, error) {
	return searches(ctx, s, set, clients, span, nil)
}

func searches(ctx context.Context, s Server, set *dataset.Set, clients int, span time.Duration, f *Filter) (m Measured, err error) {
	var next, good atomic.Int64
	all := make([][]time.Duration, clients)
	errs := make([]error, clients)
	before, err := UsageOf(s.Pid())
	if err != nil {
		return m, err
	}
	begin := time.Now()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			out := make([]uint32, K)
			for errs[c] == nil && time.Since(begin) < span {
				q := int(next.Add(1)-1) % set.QueryCount()
				at := time.Now()
				errs[c] = s.Search(ctx, c, set.Query(q), K, f, out)
				all[c] = append(all[c], time.Since(at))
				for _, row := range set.Neighbours(q, K) {
					if slices.Contains(out, row) {
						good.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if err := errors.Join(errs...); err != nil {
		return m, err
	}
	after, err := UsageOf(s.Pid())
	if err != nil {
		return m, err
	}
	times := slices.Concat(all...)
	slices.Sort(times)
	n := len(times)
	at := func(share float64) time.Duration { return times[min(n-1, int(share*float64(n)))] }
	return Measured{
		Clients: clients, QPS: float64(n) / took.Seconds(), Recall: float64(good.Load()) / float64(K*n),
		P50: at(0.5), P95: at(0.95), P99: at(0.99), CPU: (after.CPU - before.CPU) / time.Duration(n),
	}, nil
}

// Median is what lies in the middle of several rounds, by rate.
func Median(rounds []Measured) Measured {
	sorted := slices.Clone(rounds)
	slices.SortFunc(sorted, func(a, b Measured) int {
		switch {
		case a.QPS < b.QPS:
			return -1
		case a.QPS > b.QPS:
			return 1
		}
		return 0
	})
	return sorted[len(sorted)/2]
}
