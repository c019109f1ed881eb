// Command annbench compares this project's vector search with that of other libraries, in process: recall against
// queries per second, time to build, memory. It is the in-process part of `make bench`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/inproc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "annbench:", err)
		os.Exit(1)
	}
}

type options struct {
	data, sources, profile string
	figures                string
	plots                  string
	sets, peers            []string
	efs, threads           []int
	rounds, builds         int
	params                 inproc.Params
	bare                   bool
}

func parse(args []string) (o options, err error) {
	cache, _ := os.UserCacheDir()
	f := flag.NewFlagSet("annbench", flag.ContinueOnError)
	f.StringVar(&o.data, "data", filepath.Join(cache, "ostraka-bench"), "where data sets and peers are kept")
	f.StringVar(&o.sources, "sources", "node/bench/peer", "where the peers' drivers lie")
	f.StringVar(&o.profile, "profile", "", "write a CPU profile of this program to that file")
	f.StringVar(&o.plots, "plots", ".", "directory where plots are written")
	f.StringVar(&o.figures, "figures", "", "append what is reached, and what is not, to that file")
	f.BoolVar(&o.bare, "bare", false, "measure the engine's parts by themselves too")
	f.IntVar(&o.rounds, "rounds", 3, "rounds of searches")
	f.IntVar(&o.builds, "builds", 1, "rounds of building")
	f.IntVar(&o.params.M, "m", 16, "links of a row")
	f.IntVar(&o.params.EfConstruct, "ef-construct", 100, "candidates while building")
	sets := f.String("sets", strings.Join(dataset.Names(), ","), "data sets")
	peers := f.String("peers", strings.Join(inproc.Peers(), ","), "engines to compare with")
	efs := f.String("ef", "", "candidates of a search; those about the recalls asked for, if nothing is given")
	threads := f.String("threads", "2", "threads that build")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.sets, o.peers = words(*sets), words(*peers)
	var err1, err2 error
	o.efs, err1 = numbers(*efs)
	o.threads, err2 = numbers(*threads)
	return o, errors.Join(err1, err2)
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

func numbers(s string) (all []int, err error) {
	for _, w := range words(s) {
		n, err := strconv.Atoi(w)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number above 0", w)
		}
		all = append(all, n)
	}
	return all, nil
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	for _, name := range o.sets {
		if err := measure(ctx, o, name); err != nil {
			return err
		}
	}
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func measure(ctx context.Context, o options, name string) (err error) {
	set, err := dataset.Load(ctx, o.data, name, say)
	if err != nil {
		return err
	}
	engines := []inproc.Engine{inproc.NewOurs(set, o.params)}
	if o.bare {
		engines = append(engines,
			inproc.NewBare("graph on bytes", set, o.params, true), inproc.NewBare("graph on float32", set, o.params, false))
	}
	for _, peer := range o.peers {
		e, err := inproc.Peer(ctx, peer, o.data, o.sources, set, o.params)
		if err != nil {
			say("%s is left out: %v", peer, err)
			continue
		}
		engines = append(engines, e)
	}
	defer func() {
		for _, e := range engines {
			err = errors.Join(err, e.Close())
		}
	}()
	say("%s: building", name)
	builds, err := inproc.Builds(ctx, engines, o.threads, o.builds)
	if err != nil {
		return err
	}
	say("%s: searching", name)
	efs := o.efs
	if len(efs) == 0 {
		efs = inproc.GoalsOf(name).Efs
	}
	curves, err := inproc.Searches(ctx, set, engines, efs, o.rounds)
	if err != nil {
		return err
	}
	if err := inproc.Report(os.Stdout, set, builds, curves, recalls); err != nil {
		return err
	}
	if err := inproc.Tell(os.Stdout, o.figures, figures(name, builds, curves)); err != nil {
		return err
	}
	return plot(o, set, curves)
}

// figures are those that are about this program alone.
func figures(set string, builds []inproc.Build, curves []inproc.Curve) (all []inproc.Figure) {
	peer := slices.IndexFunc(curves, func(c inproc.Curve) bool { return c.Engine == "hnswlib" })
	goals := inproc.GoalsOf(set)
	for i, least := range []float64{1.4, 1.25} {
		f := inproc.Figure{Number: 1, AtLeast: least}
		at := goals.Recalls[i]
		if peer > 0 {
			f.Got, at = inproc.Ratio(&curves[0], &curves[peer], at, func(p inproc.Point) float64 { return p.Wall })
		}
		f.What = fmt.Sprintf("%s, in process, QPS of hnswlib's at recall %.3f", set, at)
		all = append(all, f)
	}
	took := map[string]float64{}
	for _, b := range builds {
		took[b.Engine] = b.Cost.Wall.Seconds() // of the most threads
	}
	f := inproc.Figure{Number: 3, What: set + ", in process, time to build of hnswlib's", AtMost: 1}
	if took["hnswlib"] > 0 {
		f.Got = took[curves[0].Engine] / took["hnswlib"]
	}
	return append(all, f)
}

func plot(o options, set *dataset.Set, curves []inproc.Curve) error {
	for _, clock := range inproc.Clocks() {
		name := filepath.Join(o.plots, "search-"+set.Name+"-"+strings.ToLower(clock.Name)+".svg")
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := errors.Join(inproc.Plot(f, set, curves, clock), f.Close()); err != nil {
			return err
		}
		say("%s: drawn in %s", set.Name, name)
	}
	return nil
}

var recalls = []float64{0.9, 0.95, 0.98, 0.99}
