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
	figures              string
	sets                 []string
	efs, clients, shards []int
	more                 bool
	start                int
	startSize            int
	onDisk, allOnDisk    bool
	codesInMemory        bool
	rounds               int
	slice                time.Duration
	params               wire.Params
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "wirebench:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string) error {
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
	return startAgain(ctx, o)
}

func parse(args []string) (o options, err error) {
	cache, _ := os.UserCacheDir()
	f := flag.NewFlagSet("wirebench", flag.ContinueOnError)
	f.StringVar(&o.data, "data", filepath.Join(cache, "ostraka-bench"), "where data sets are kept")
	f.StringVar(&o.node, "node", "bin/ostraka", "the node's program")
	f.StringVar(&o.weaviate, "weaviate", "", "Weaviate's program; without it only the node is measured")
	f.StringVar(&o.figures, "figures", "", "append what is reached, and what is not, to that file")
	f.IntVar(&o.rounds, "rounds", 3, "rounds, in which the servers take turns")
	f.DurationVar(&o.slice, "slice", time.Second, "how long a server is searched at a time")
	f.IntVar(&o.params.M, "m", 16, "links of a row")
	f.IntVar(&o.params.EfConstruct, "ef-construct", 100, "candidates while building")
	f.BoolVar(&o.more, "more", true, "measure filters, searches while vectors are stored, and recall after half were replaced")
	f.IntVar(&o.start, "start", figureStart, "vectors of a node that is started again; 0: none")
	f.IntVar(&o.startSize, "start-size", figureStartSize, "components of those")
	f.BoolVar(&o.onDisk, "start-on-disk", false, "keep those on the disk")
	f.BoolVar(&o.codesInMemory, "start-codes-in-memory", false, "with -start-all-on-disk: but for their codes")
	f.BoolVar(&o.allOnDisk, "start-all-on-disk", false, "keep those, their codes and their graph on the disk")
	shards := f.String("shards", "1,4", "shards of the nodes' collections; each number has a node of its own")
	sets := f.String("sets", strings.Join(dataset.Names(), ","), "data sets")
	efs := f.String("ef", "", "candidates of a search; those about the recalls asked for, if nothing is given")
	clients := f.String("clients", "1,8", "numbers of clients")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.sets = strings.FieldsFunc(*sets, func(r rune) bool { return r == ',' })
	if o.node, err = filepath.Abs(o.node); err != nil {
		return o, err
	}
	var err2, err3 error
	if *efs != "" {
		o.efs, err = numbers(*efs)
	}
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
	r := &run{options: o, set: set, servers: servers, out: out, raw: float64(4*len(set.Base)) / (1 << 20)}
	write(out, "%s: %d x %d, %s, raw %.0f MiB, m %d, ef_construct %d\n\n", set.Name, set.Len(), set.Size, set.Distance, r.raw,
		o.params.M, o.params.EfConstruct)
	if err := r.fill(ctx); err != nil {
		return err
	}
	if err := r.search(ctx); err != nil {
		return err
	}
	if o.more {
		if err := r.more(ctx); err != nil {
			return err
		}
	}
	write(out, "\n")
	if err := out.Flush(); err != nil {
		return err
	}
	return inproc.Tell(os.Stdout, o.figures, r.figures)
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
