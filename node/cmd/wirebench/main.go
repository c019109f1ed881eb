// Command wirebench compares this project's node with Weaviate over gRPC: time until everything is indexed, memory,
// queries per second at equal recall with one client and with several. It is the part of `make bench` that goes over the
// network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/inproc"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/wire"
)

type options struct {
	data, node, weaviate string
	sets                 []string
	efs, clients, shards []int
	more                 bool
	rounds               int
	slice                time.Duration
	params               wire.Params
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "wirebench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	for _, name := range o.sets {
		set, err := dataset.Load(ctx, o.data, name, say)
		if err != nil {
			return err
		}
		if err := measure(ctx, o, set); err != nil {
			return err
		}
	}
	return nil
}

func parse(args []string) (o options, err error) {
	cache, _ := os.UserCacheDir()
	f := flag.NewFlagSet("wirebench", flag.ContinueOnError)
	f.StringVar(&o.data, "data", filepath.Join(cache, "ostraka-bench"), "where data sets are kept")
	f.StringVar(&o.node, "node", "bin/ostraka", "the node's program")
	f.StringVar(&o.weaviate, "weaviate", "", "Weaviate's program; without it only the node is measured")
	f.IntVar(&o.rounds, "rounds", 3, "rounds, in which the servers take turns")
	f.DurationVar(&o.slice, "slice", 2*time.Second, "how long a server is searched at a time")
	f.IntVar(&o.params.M, "m", 16, "links of a row")
	f.IntVar(&o.params.EfConstruct, "ef-construct", 100, "candidates while building")
	f.BoolVar(&o.more, "more", true, "measure filters, searches while vectors are stored, and recall after half were replaced")
	shards := f.String("shards", "1,4", "shards of the nodes' collections; each number has a node of its own")
	sets := f.String("sets", strings.Join(dataset.Names(), ","), "data sets")
	efs := f.String("ef", "10,16,24,32,48,64,96,128,192,256,384,512", "candidates of a search")
	clients := f.String("clients", "1,8", "numbers of clients")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.sets = strings.Split(*sets, ",")
	var err2, err3 error
	o.efs, err = numbers(*efs)
	o.clients, err2 = numbers(*clients)
	o.shards, err3 = numbers(*shards)
	return o, errors.Join(err, err2, err3)
}

func numbers(s string) (all []int, err error) {
	for w := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number above 0", w)
		}
		all = append(all, n)
	}
	return all, nil
}

// write writes to a table; what goes wrong is told by its Flush.
func write(out *tabwriter.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format, args...)
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func measure(ctx context.Context, o options, set *dataset.Set) (err error) {
	servers, err := open(ctx, o)
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.Close())
		}
	}()
	if err != nil {
		return err
	}
	o.params.Groups = wire.NewGroups(set)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer func() { err = errors.Join(err, out.Flush()) }()
	raw := float64(4*len(set.Base)) / (1 << 20)
	write(out, "%s: %d x %d, %s, raw %.0f MiB, m %d, ef_construct %d\n\n", set.Name, set.Len(), set.Size, set.Distance, raw,
		o.params.M, o.params.EfConstruct)
	write(out, "filled\tacknowledged s\tready s\tCPU s\tMiB at rest\tof raw\tanonymous MiB\t\n")
	for _, s := range servers {
		l, err := wire.Fill(ctx, s, set, o.params)
		if err == nil {
			err = wire.Rest(ctx, s, &l)
		}
		if err != nil {
			return err
		}
		rest := float64(l.Resident) / (1 << 20)
		write(out, "%s\t%.1f\t%.1f\t%.1f\t%.0f\t%.2f\t%.0f\t\n", s.Name(), l.Acknowledged.Seconds(), l.Ready.Seconds(), l.CPU.Seconds(),
			rest, rest/raw, float64(l.RestAnonymous)/(1<<20))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := search(ctx, o, set, servers, out); err != nil || !o.more {
		return err
	}
	return more(ctx, o, set, servers[0], out)
}

// open starts the servers: the node, Weaviate, and nodes with other numbers of shards.
func open(ctx context.Context, o options) (servers []wire.Server, err error) {
	most := 1
	for _, n := range o.clients {
		most = max(most, n)
	}
	for i, shards := range o.shards {
		s, err := wire.StartOstraka(ctx, o.node, shards, most)
		if err != nil {
			return servers, err
		}
		servers = append(servers, s)
		if i > 0 {
			continue
		}
		if o.weaviate == "" {
			say("Weaviate is left out: no program was given")
		} else if w, err := wire.StartWeaviate(ctx, o.weaviate, most); err != nil {
			say("Weaviate is left out: %v", err)
		} else {
			servers = append(servers, w)
		}
	}
	return servers, nil
}

// more measures what only the node is asked: filters, searches while vectors are stored, recall after half were replaced.
func more(ctx context.Context, o options, set *dataset.Set, s wire.Server, out *tabwriter.Writer) error {
	for _, ef := range []int{32, 192} {
		if err := s.SetEf(ctx, ef); err != nil {
			return err
		}
		plain, err := wire.Searches(ctx, s, set, 1, o.slice)
		if err != nil {
			return err
		}
		write(out, "\n1 client, ef %d\tselectivity %%\trecall@%d\tQPS\tof unfiltered\tp99 us\t\n", ef, wire.K)
		write(out, "no filter\t100\t%.4f\t%.0f\t1.00\t%d\t\n", plain.Recall, plain.QPS, plain.P99.Microseconds())
		for _, field := range []string{wire.Random, wire.Correlated} {
			for _, below := range []int{1, 10, 100, 500} {
				m, err := wire.Filtered(ctx, s, set, o.params.Groups, &wire.Filter{Field: field, Below: below}, o.slice)
				if err != nil {
					return err
				}
				write(out, "%s\t%.1f\t%.4f\t%.0f\t%.2f\t%d\t\n", field, 100*float64(below)/wire.GroupCount, m.Recall, m.QPS, m.QPS/plain.QPS, m.P99.Microseconds())
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	write(out, "\n1 client, ef 192\trecall@%d\tQPS\tp50 us\tp99 us\t\n", wire.K)
	row := func(what string, m wire.Measured) {
		write(out, "%s\t%.4f\t%.0f\t%d\t%d\t\n", what, m.Recall, m.QPS, m.P50.Microseconds(), m.P99.Microseconds())
	}
	idle, err := wire.Searches(ctx, s, set, 1, 2*o.slice)
	if err != nil {
		return err
	}
	row("at rest", idle)
	busy, err := wire.WhileStoring(ctx, s, set, 4*o.slice)
	if err != nil {
		return err
	}
	row("while vectors are stored", busy)
	if err := wire.StoreHalf(ctx, s, set); err != nil {
		return err
	}
	after, err := wire.Searches(ctx, s, set, 1, 2*o.slice)
	row("after half were stored again", after)
	return errors.Join(err, out.Flush())
}

// search has the servers take turns, and prints the medians and what they make at equal recall.
func search(ctx context.Context, o options, set *dataset.Set, servers []wire.Server, out *tabwriter.Writer) error {
	for _, clients := range o.clients {
		write(out, "\n%d clients\tef\trecall@%d\tQPS\tp50 us\tp95 us\tp99 us\tserver CPU us\t\n", clients, wire.K)
		curves := make([]inproc.Curve, len(servers))
		for _, ef := range o.efs {
			rounds := make([][]wire.Measured, len(servers))
			for range o.rounds {
				for i, s := range servers {
					if err := s.SetEf(ctx, ef); err != nil {
						return err
					}
					m, err := wire.Searches(ctx, s, set, clients, o.slice)
					if err != nil {
						return err
					}
					rounds[i] = append(rounds[i], m)
				}
			}
			for i, s := range servers {
				m := wire.Median(rounds[i])
				write(out, "%s\t%d\t%.4f\t%.0f\t%d\t%d\t%d\t%d\t\n", s.Name(), ef, m.Recall, m.QPS, m.P50.Microseconds(), m.P95.Microseconds(),
					m.P99.Microseconds(), m.CPU.Microseconds())
				curves[i].Points = append(curves[i].Points, inproc.Point{Ef: ef, Recall: m.Recall, Wall: m.QPS})
			}
			if err := out.Flush(); err != nil {
				return err
			}
		}
		equal(clients, servers, curves, out)
	}
	return nil
}

// equal compares rates at equal recall.
func equal(clients int, servers []wire.Server, curves []inproc.Curve, out *tabwriter.Writer) {
	wall := func(p inproc.Point) float64 { return p.Wall }
	write(out, "\n%d clients, QPS at recall\t", clients)
	recalls := []float64{0.9, 0.95, 0.98, 0.99}
	for _, r := range recalls {
		write(out, "%.2f\t", r)
	}
	write(out, "\n")
	for i, s := range servers {
		write(out, "%s\t", s.Name())
		for _, r := range recalls {
			write(out, "%.0f\t", curves[i].At(r, wall))
		}
		write(out, "\n")
	}
	for i := 1; i < len(servers); i++ {
		write(out, "%s / %s\t", servers[0].Name(), servers[i].Name())
		for _, r := range recalls {
			if a, b := curves[0].At(r, wall), curves[i].At(r, wall); a > 0 && b > 0 {
				write(out, "%.2f\t", a/b)
			} else {
				write(out, "-\t")
			}
		}
		write(out, "\n")
	}
}
