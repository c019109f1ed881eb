package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/inproc"
	"github.com/ostraka/terraform-provider-ostraka/node/bench/wire"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// madeQueries is how many queries are made.
const madeQueries = 200

// made returns vectors about centres, as real ones lie, and queries that lie so too, without the truth.
func made(count, size int) *dataset.Set {
	const centres = 1000
	rnd := rand.New(rand.NewPCG(1, 1))
	middle := make([]float32, centres*size)
	for i := range middle {
		middle[i] = float32(rnd.NormFloat64())
	}
	all := make([]float32, (count+madeQueries)*size)
	for i := range count + madeQueries {
		c := rnd.IntN(centres)
		for j := range size {
			all[i*size+j] = middle[c*size+j] + 0.5*float32(rnd.NormFloat64())
		}
	}
	return &dataset.Set{Name: "made", Distance: vec.Euclid, Size: size, Base: all[:count*size], Queries: all[count*size:]}
}

// Figure 8 is of so many vectors, and components.
const (
	figureStart     = 1_000_000
	figureStartSize = 128
)

// startAgain measures how long a node takes from its start until all is indexed, with the files of before.
func startAgain(ctx context.Context, o options) (err error) {
	if o.start == 0 {
		return nil
	}
	s, err := wire.StartOstraka(ctx, o.node, 1, 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	set := made(o.start, o.startSize)
	p := wire.Params{M: o.params.M, EfConstruct: o.params.EfConstruct, OnDisk: o.onDisk || o.allOnDisk, AllOnDisk: o.allOnDisk, CodesInMemory: o.codesInMemory}
	say("%d x %d: filling", set.Len(), set.Size)
	l, err := wire.Fill(ctx, s, set, p)
	if err == nil {
		err = wire.Rest(ctx, s, &l)
	}
	if err != nil {
		return err
	}
	again, ok := s.(wire.Restarter)
	if !ok {
		return fmt.Errorf("%s cannot be started again", s.Name())
	}
	took, err := again.Restart(ctx, set.Len())
	if err != nil {
		return err
	}
	before, err := wire.UsageOf(s.Pid())
	if err != nil {
		return err
	}
	perSecond, found, err := searchSome(ctx, s, set, o.slice)
	if err != nil {
		return err
	}
	after, err := wire.UsageOf(s.Pid())
	if err != nil {
		return err
	}
	recall, err := recallOf(ctx, s, set)
	if err != nil {
		return err
	}
	raw := float64(4 * len(set.Base))
	if _, err := fmt.Printf(`
%d x %d, raw %.0f MiB, vectors on disk: %v, all: %v, codes in memory: %v
indexed in %.1f s, at rest %.0f MiB (%.0f anonymous)
started again in %.2f s, %.2f s of CPU, then %.0f MiB (%.0f anonymous)
%.0f searches a second of 1 client, of which %.3f found the vector itself, then %.0f MiB (%.0f anonymous); recall@%d of %d other queries %.3f

`,
		set.Len(), set.Size, raw/(1<<20), o.onDisk || o.allOnDisk, o.allOnDisk, o.codesInMemory || !o.allOnDisk, l.Ready.Seconds(), mib(l.Resident), mib(l.RestAnonymous),
		took.Seconds(), before.CPU.Seconds(), mib(before.Resident), mib(before.Anonymous), perSecond, found, mib(after.Resident), mib(after.Anonymous), wire.K, set.QueryCount(), recall); err != nil {
		return err
	}
	if set.Len() != figureStart || set.Size != figureStartSize {
		return nil
	}
	return inproc.Tell(os.Stdout, o.figures, []inproc.Figure{
		{Number: 8, What: fmt.Sprintf("seconds from the start until %d x %d are indexed, with intact files", set.Len(), set.Size), Got: took.Seconds(), AtMost: 5},
	})
}

// searchSome searches for vectors that are there, spread over all, ten times as long as a slice. found is the share that found
// themselves.
func searchSome(ctx context.Context, s wire.Server, set *dataset.Set, slice time.Duration) (perSecond, found float64, err error) {
	if err := s.SetEf(ctx, startEf); err != nil {
		return 0, 0, err
	}
	var nearest [wire.K]uint32
	begin, n, same := time.Now(), 0, 0
	for ; time.Since(begin) < 10*slice; n++ {
		row := n * 7919 % set.Len()
		if err := s.Search(ctx, 0, set.Vector(row), wire.K, nil, nearest[:]); err != nil {
			return 0, 0, err
		}
		if nearest[0] == uint32(row) {
			same++
		}
	}
	return float64(n) / time.Since(begin).Seconds(), float64(same) / float64(n), nil
}

// startEf is how many candidates those searches keep.
const startEf = 64

// recallOf searches for every query of a set once.
func recallOf(ctx context.Context, s wire.Server, set *dataset.Set) (float64, error) {
	var err error
	if set.Truth, err = dataset.Truth(ctx, set, nil); err != nil {
		return 0, err
	}
	good := 0
	for q := range set.QueryCount() {
		var nearest [wire.K]uint32
		if err := s.Search(ctx, 0, set.Query(q), wire.K, nil, nearest[:]); err != nil {
			return 0, err
		}
		for _, row := range nearest {
			if slices.Contains(set.Neighbours(q, wire.K), row) {
				good++
			}
		}
	}
	return float64(good) / float64(wire.K*set.QueryCount()), nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
