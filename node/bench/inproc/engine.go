// Package inproc owns the benchmark of vector search without a network: engines build an index of a data set and answer
// its queries in one thread, in turns, so that whatever else the machine does meets all of them.
//
// Peers run as processes of their own, whose loops over queries are native and time themselves. Every engine's time is
// taken twice: as it passes on the wall, and as the processor spent it on the engine, which is what can be compared on a
// machine that others use too.
package inproc

import (
	"context"
	"time"
)

// Cost is what something took.
type Cost struct {
	Wall, CPU time.Duration
}

// Engine is an index of one data set.
type Engine interface {
	// Name is how tables call it.
	Name() string
	// Build makes the index anew, with so many threads, and returns what it took and how many bytes it holds.
	Build(ctx context.Context, threads int) (Cost, int64, error)
	// Search answers all queries in one thread: k row numbers each, nearest first, to out.
	Search(ctx context.Context, ef, k int, out []uint32) (Cost, error)
	// Close ends it.
	Close() error
}

// Params are those of the graph, the same for all engines.
type Params struct {
	M, EfConstruct int
}
