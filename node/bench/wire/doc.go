// Package wire measures servers as their clients see them, over gRPC: this project's node and, where it can be had,
// Weaviate, side by side in one run. Each server is a process of its own on loopback, and gives the same connections the
// same load: it is filled in batches, then searched by one client and by several.
package wire

import (
	"context"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
)

// Params are what both servers' indexes are made with.
type Params struct {
	M, EfConstruct int
	Groups         Groups // of the vectors, for filters; nil: there are none
	OnDisk         bool   // whole vectors are kept on the disk
	AllOnDisk      bool   // codes and the graph too
	CodesInMemory  bool   // but codes are not
}

// Process is a server's process.
type Process interface {
	Name() string
	Pid() int // whose memory and processor time are read
	Close() error
}

// Server is a server under test.
type Server interface {
	Process
	// Create makes an empty collection for a set.
	Create(ctx context.Context, set *dataset.Set, p Params) error
	// Store stores vectors from..to-1 under their numbers and returns when they are acknowledged. Several may run at once.
	Store(ctx context.Context, set *dataset.Set, from, to int) error
	// Ready waits until every vector is in the index.
	Ready(ctx context.Context, count int) error
	// SetEf prepares searches with so many candidates; 0 means exact ones, which only the node is asked for.
	SetEf(ctx context.Context, ef int) error
	// Search returns the numbers of the nearest vectors. client says which of the connections to use.
	Search(ctx context.Context, client int, query []float32, k int, filter *Filter, out []uint32) error
}

// Restarter is a server that can be ended and started again on its files.
type Restarter interface {
	Server
	// Restart returns how long it took from the start of the process until every vector is in the index.
	Restart(ctx context.Context, count int) (time.Duration, error)
}

// Filter asks for vectors whose group is below a bound: groups are numbers below 1000, given to vectors when they are
// stored.
type Filter struct {
	Field string
	Below int
}

// Load is what filling took.
type Load struct {
	Acknowledged, Ready time.Duration
	CPU                 time.Duration
	Resident            int64 // at rest afterwards
	RestAnonymous       int64 // of it, what is no file
}
