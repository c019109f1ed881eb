package inproc

import (
	"context"
	"slices"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
)

// K is how many neighbours are asked for.
const K = 10

// Point is what an engine did with one ef.
type Point struct {
	Ef     int
	Recall float64 // share of the true K nearest
	Wall   float64 // queries per second on the wall's clock, median of the rounds
	CPU    float64 // queries per second of processor time, median of the rounds
}

// Curve is what an engine did with all ef.
type Curve struct {
	Engine string
	Points []Point
}

// Searches has every engine answer all queries with every ef, so many rounds, taking turns.
func Searches(ctx context.Context, set *dataset.Set, engines []Engine, efs []int, rounds int) ([]Curve, error) {
	out := make([]uint32, set.QueryCount()*K)
	curves := make([]Curve, len(engines))
	for i, e := range engines {
		curves[i].Engine = e.Name()
	}
	for _, ef := range efs {
		costs := make([][]Cost, len(engines))
		points := make([]Point, len(engines))
		for range rounds {
			for i, e := range engines {
				cost, err := e.Search(ctx, ef, K, out)
				if err != nil {
					return nil, err
				}
				costs[i] = append(costs[i], cost)
				points[i].Recall = recall(set, out)
			}
		}
		for i := range engines {
			points[i].Ef = ef
			points[i].Wall = rate(set, costs[i], func(c Cost) time.Duration { return c.Wall })
			points[i].CPU = rate(set, costs[i], func(c Cost) time.Duration { return c.CPU })
			curves[i].Points = append(curves[i].Points, points[i])
		}
	}
	return curves, nil
}

// rate is the median of queries per second.
func rate(set *dataset.Set, costs []Cost, of func(Cost) time.Duration) float64 {
	return float64(set.QueryCount()) / median(costs, of).Seconds()
}

func median(costs []Cost, of func(Cost) time.Duration) time.Duration {
	all := make([]time.Duration, len(costs))
	for i, c := range costs {
		all[i] = of(c)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func recall(set *dataset.Set, out []uint32) float64 {
	good := 0
	for q := range set.QueryCount() {
		truth := set.Neighbours(q, K)
		for _, row := range out[q*K : (q+1)*K] {
			if slices.Contains(truth, row) {
				good++
			}
		}
	}
	return float64(good) / float64(len(out))
}

// At is the rate at a recall, between the two points around it on a logarithmic scale. It is 0 when the curve does not
// reach the recall, or begins above it.
func (c *Curve) At(recall float64, of func(Point) float64) float64 {
	for i := 1; i < len(c.Points); i++ {
		a, b := c.Points[i-1], c.Points[i]
		if a.Recall <= recall && recall <= b.Recall && a.Recall < b.Recall {
			return between(of(a), of(b), (recall-a.Recall)/(b.Recall-a.Recall))
		}
	}
	return 0
}

// Build is what building took.
type Build struct {
	Engine  string
	Threads int
	Cost    Cost // medians
	Bytes   int64
}

// Builds has every engine build with every number of threads, so many rounds, taking turns. The last built stays.
func Builds(ctx context.Context, engines []Engine, threads []int, rounds int) ([]Build, error) {
	var builds []Build
	for _, n := range threads {
		costs := make([][]Cost, len(engines))
		held := make([]int64, len(engines))
		for range rounds {
			for i, e := range engines {
				cost, bytes, err := e.Build(ctx, n)
				if err != nil {
					return nil, err
				}
				costs[i], held[i] = append(costs[i], cost), bytes
			}
		}
		for i, e := range engines {
			builds = append(builds, Build{Engine: e.Name(), Threads: n, Bytes: held[i], Cost: Cost{
				Wall: median(costs[i], func(c Cost) time.Duration { return c.Wall }),
				CPU:  median(costs[i], func(c Cost) time.Duration { return c.CPU }),
			}})
		}
	}
	return builds, nil
}
