package main

import (
	"context"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/inproc"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/wire"
)

// more measures what only the node is asked: filters, searches while vectors are stored, recall after half were replaced.
func (r *run) more(ctx context.Context) error {
	s := r.servers[0]
	ef := r.enough()
	if err := r.filters(ctx, s, ef); err != nil {
		return err
	}
	if err := s.SetEf(ctx, ef); err != nil {
		return err
	}
	write(r.out, "\n1 client, ef %d\trecall@%d\tQPS\tp50 us\tp99 us\t\n", ef, wire.K)
	row := func(what string, m wire.Measured) {
		write(r.out, "%s\t%.4f\t%.0f\t%d\t%d\t\n", what, m.Recall, m.QPS, m.P50.Microseconds(), m.P99.Microseconds())
	}
	idle, err := wire.Searches(ctx, s, r.set, 1, 4*r.slice)
	if err != nil {
		return err
	}
	row("at rest", idle)
	busy, err := wire.WhileStoring(ctx, s, r.set, 8*r.slice)
	if err != nil {
		return err
	}
	row("while vectors are stored", busy)
	r.add(inproc.Figure{Number: 7, Got: float64(busy.P99) / float64(idle.P99), AtMost: 5}, "p99 of searches while vectors are stored, of that at rest")
	if err := wire.StoreHalf(ctx, s, r.set); err != nil {
		return err
	}
	after, err := wire.Searches(ctx, s, r.set, 1, 4*r.slice)
	if err != nil {
		return err
	}
	row("after half were stored again", after)
	r.add(inproc.Figure{Number: 6, Got: after.Recall - idle.Recall + 1, AtLeast: 0.99}, "1 + recall after half of the points were replaced, less that before")
	return r.out.Flush()
}

// enough is the least ef that gave a recall of 0.95.
func (r *run) enough() int {
	points := r.curves[0].Points
	for _, p := range points {
		if p.Recall >= 0.95 {
			return p.Ef
		}
	}
	return points[len(points)-1].Ef
}

// filters compares searches under filters with those without, and with comparing all that a filter takes.
func (r *run) filters(ctx context.Context, s wire.Server, ef int) error {
	write(r.out, "\n1 client, ef %d\tselectivity %%\trecall@%d\tQPS\tQPS unfiltered\tQPS exact\ttime of the better's\t\n", ef, wire.K)
	least, worst := 1.0, 0.0
	for _, field := range []string{wire.Random, wire.Correlated} {
		for _, below := range []int{1, 10, 100, 500} {
			f := &wire.Filter{Field: field, Below: below}
			plain, got, exact, err := r.filtered(ctx, s, ef, f)
			if err != nil {
				return err
			}
			times := max(plain.QPS, exact.QPS) / got.QPS
			least, worst = min(least, got.Recall), max(worst, times)
			write(r.out, "%s\t%.1f\t%.4f\t%.0f\t%.0f\t%.0f\t%.2f\t\n", field, 100*float64(below)/wire.GroupCount, got.Recall, got.QPS, plain.QPS, exact.QPS, times)
		}
	}
	r.add(inproc.Figure{Number: 5, Got: least, AtLeast: 0.95}, "least recall under a filter, at the ef that gives 0.95 without")
	r.add(inproc.Figure{Number: 5, Got: worst, AtMost: 1.5}, "longest time under a filter, of the better of an exact search and one without a filter")
	return r.out.Flush()
}

// filtered has the three take turns.
func (r *run) filtered(ctx context.Context, s wire.Server, ef int, f *wire.Filter) (plain, got, exact wire.Measured, err error) {
	under, err := wire.Under(ctx, r.set, r.params.Groups, f)
	if err != nil {
		return plain, got, exact, err
	}
	var all [3][]wire.Measured
	for range r.rounds {
		for i, way := range []struct {
			ef int
			f  *wire.Filter
		}{{ef, nil}, {ef, f}, {0, f}} {
			if err = s.SetEf(ctx, way.ef); err != nil {
				return plain, got, exact, err
			}
			var m wire.Measured
			span := max(r.slice/4, 100*time.Millisecond)
			if way.f == nil {
				m, err = wire.Searches(ctx, s, r.set, 1, span)
			} else {
				m, err = wire.Filtered(ctx, s, under, way.f, span)
			}
			if err != nil {
				return plain, got, exact, err
			}
			all[i] = append(all[i], m)
		}
	}
	return wire.Median(all[0]), wire.Median(all[1]), wire.Median(all[2]), nil
}
