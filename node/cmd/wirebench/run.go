package main

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/inproc"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/wire"
)

// run is the measuring of one set. The first server is the node, with one shard.
type run struct {
	options
	set     *dataset.Set
	servers []wire.Server
	out     *tabwriter.Writer
	raw     float64 // MiB
	curves  []inproc.Curve
	figures []inproc.Figure
}

func (r *run) add(f inproc.Figure, what string, args ...any) {
	f.What = r.set.Name + ", over gRPC, " + fmt.Sprintf(what, args...)
	r.figures = append(r.figures, f)
}

// is reports whether a server is the node, and whether it is the peer.
func (r *run) peer() int {
	return slices.IndexFunc(r.servers, func(s wire.Server) bool { return s.Name() == wire.WeaviateName })
}

func (r *run) glove() bool { return r.set.Name == "glove" }

// fill has all servers filled, one after the other.
func (r *run) fill(ctx context.Context) error {
	write(r.out, "filled\tacknowledged s\tready s\tCPU s\tMiB at rest\tof raw\tanonymous MiB\t\n")
	ready := make([]float64, len(r.servers))
	for i, s := range r.servers {
		l, err := wire.Fill(ctx, s, r.set, r.params)
		if err == nil {
			err = wire.Rest(ctx, s, &l)
		}
		if err != nil {
			return err
		}
		ready[i] = l.Ready.Seconds()
		rest := float64(l.Resident) / (1 << 20)
		write(r.out, "%s\t%.1f\t%.1f\t%.1f\t%.0f\t%.2f\t%.0f\t\n", s.Name(), l.Acknowledged.Seconds(), l.Ready.Seconds(), l.CPU.Seconds(),
			rest, rest/r.raw, float64(l.RestAnonymous)/(1<<20))
		if i == 0 {
			f := inproc.Figure{Number: 4, Got: rest / r.raw, AtMost: 2}
			if r.glove() {
				f.AtMost = 3
			}
			r.add(f, "memory at rest of raw vectors")
		}
	}
	f := inproc.Figure{Number: 3, AtLeast: 2}
	if p := r.peer(); p > 0 {
		f.Got = ready[p] / ready[0]
	}
	r.add(f, "Weaviate's time until all is indexed, of the node's")
	return r.out.Flush()
}

// search has the servers take turns, and prints the medians and what they make at equal recall.
func (r *run) search(ctx context.Context) error {
	efs := r.efs
	if len(efs) == 0 {
		efs = inproc.GoalsOf(r.set.Name).Efs
	}
	for _, clients := range r.clients {
		write(r.out, "\n%d clients\tef\trecall@%d\tQPS\tp50 us\tp95 us\tp99 us\tserver CPU us\t\n", clients, wire.K)
		r.curves = make([]inproc.Curve, len(r.servers))
		for _, ef := range efs {
			if err := r.turns(ctx, clients, ef); err != nil {
				return err
			}
		}
		r.equal(clients)
		r.compare(clients)
	}
	return nil
}

// turns has each server search with one ef.
func (r *run) turns(ctx context.Context, clients, ef int) error {
	rounds := make([][]wire.Measured, len(r.servers))
	for range r.rounds {
		for i, s := range r.servers {
			if err := s.SetEf(ctx, ef); err != nil {
				return err
			}
			m, err := wire.Searches(ctx, s, r.set, clients, r.slice)
			if err != nil {
				return err
			}
			rounds[i] = append(rounds[i], m)
		}
	}
	for i, s := range r.servers {
		m := wire.Median(rounds[i])
		write(r.out, "%s\t%d\t%.4f\t%.0f\t%d\t%d\t%d\t%d\t\n", s.Name(), ef, m.Recall, m.QPS, m.P50.Microseconds(), m.P95.Microseconds(),
			m.P99.Microseconds(), m.CPU.Microseconds())
		r.curves[i].Points = append(r.curves[i].Points, inproc.Point{Ef: ef, Recall: m.Recall, Wall: m.QPS})
	}
	return r.out.Flush()
}

func wall(p inproc.Point) float64 { return p.Wall }

// compare adds the figures about rates at equal recall.
func (r *run) compare(clients int) {
	goals := inproc.GoalsOf(r.set.Name)
	least := 2.2
	if clients > 1 {
		if least = 3; r.glove() {
			least = 3.5
		}
	}
	for _, recall := range goals.Recalls {
		f, at := inproc.Figure{Number: 2, AtLeast: least}, recall
		if p := r.peer(); p > 0 {
			f.Got, at = inproc.Ratio(&r.curves[0], &r.curves[p], recall, wall)
		}
		r.add(f, "%d clients, QPS of Weaviate's at recall %.3f", clients, at)
	}
	for i := range r.servers {
		if i == 0 || i == r.peer() {
			continue
		}
		f := inproc.Figure{Number: 7, AtLeast: 0.8}
		var at float64
		f.Got, at = inproc.Ratio(&r.curves[i], &r.curves[0], goals.Recalls[0], wall)
		r.add(f, "%d clients, QPS of %s of one shard's at recall %.3f", clients, r.servers[i].Name(), at)
	}
}

// equal prints rates at equal recall.
func (r *run) equal(clients int) {
	write(r.out, "\n%d clients, QPS at recall\t", clients)
	recalls := []float64{0.9, 0.95, 0.98, 0.99}
	for _, at := range recalls {
		write(r.out, "%.2f\t", at)
	}
	write(r.out, "\n")
	for i, s := range r.servers {
		write(r.out, "%s\t", s.Name())
		for _, at := range recalls {
			write(r.out, "%.0f\t", r.curves[i].At(at, wall))
		}
		write(r.out, "\n")
	}
}
