package inproc

import (
	"context"
	"runtime"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
)

// Ours is the index that a node's shards search, configured as a collection is by default but for the graph's params.
type Ours struct {
	set    *dataset.Set
	params Params
	index  *dense.Index
}

// NewOurs makes the engine.
func NewOurs(set *dataset.Set, p Params) *Ours { return &Ours{set: set, params: p} }

// Name is the project's.
func (o *Ours) Name() string { return "ostraka" }

// Build puts all vectors into an index, and waits until all are in its graph.
func (o *Ours) Build(ctx context.Context, threads int) (cost Cost, bytes int64, err error) {
	if err := o.Close(); err != nil {
		return Cost{}, 0, err
	}
	before := residentBytes()
	wall, cpu := time.Now(), processCPU()
	if o.index, err = dense.New(dense.Options{
		Size: o.set.Size, Distance: o.set.Distance, Pool: dense.NewPool(threads),
		Config: dense.Config{M: o.params.M, EfConstruct: o.params.EfConstruct, IndexingBytes: 1, FullScanBytes: 1, Threads: threads},
	}); err != nil {
		return Cost{}, 0, err
	}
	for i := range o.set.Len() {
		if err := o.index.Put(uint32(i), o.set.Vector(i)); err != nil {
			return Cost{}, 0, err
		}
	}
	o.index.Publish()
	if err := o.index.Settled(ctx); err != nil {
		return Cost{}, 0, err
	}
	if problem := o.index.Status().Problem; problem != nil {
		return Cost{}, 0, problem
	}
	cost = Cost{Wall: time.Since(wall), CPU: processCPU() - cpu}
	return cost, residentBytes() - before, nil
}

// Search takes a snapshot for each query, as a request does.
func (o *Ours) Search(ctx context.Context, ef, k int, out []uint32) (Cost, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := func(a, b uint32) bool { return a < b }
	wall, cpu := time.Now(), threadCPU()
	for i := range o.set.QueryCount() {
		s := o.index.Snapshot()
		hits, err := s.Search(ctx, dense.Query{Vector: o.set.Query(i), Limit: k, Before: before, Params: dense.Params{Ef: max(ef, k)}})
		s.Release()
		if err != nil {
			return Cost{}, err
		}
		for j := range k {
			out[i*k+j] = 1<<32 - 1
			if j < len(hits) {
				out[i*k+j] = hits[j].Label
			}
		}
	}
	return Cost{Wall: time.Since(wall), CPU: threadCPU() - cpu}, nil
}

// Close gives the memory back.
func (o *Ours) Close() (err error) {
	if o.index != nil {
		err = o.index.Close()
	}
	o.index = nil
	runtime.GC()
	return err
}
