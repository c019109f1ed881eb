package api_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

const (
	self  = catalog.PeerID(101)
	other = catalog.PeerID(102)
)

// cluster is a cluster of two peers without any network: the real metadata state machine, and points in a map.
type cluster struct {
	mu struct {
		sync.Mutex
		state  *catalog.State
		points map[catalog.CollectionID]map[point.ID]point.Record
		op     uint64
		calls  []any // what was asked of it, in order
	}
	writeErr     error // instead of a write
	neverApplied bool  // writes are acknowledged and not applied
	infoErr      error
	unready      int // how often payload indexes are not complete when somebody looks
	silent       []catalog.ShardID
	conflicts    int // how many proposals fail with Conflict first
}

func newCluster() *cluster {
	c := &cluster{}
	state, _ := catalog.Apply(catalog.Empty(), catalog.Command{Found: &catalog.Found{ClusterID: "c"}})
	for id, name := range map[catalog.PeerID]string{self: "a", other: "b"} {
		state, _ = catalog.Apply(state, catalog.Command{RegisterPeer: &catalog.Peer{ID: id, Name: name, PeerAddr: name + ":1"}})
	}
	c.mu.state = state
	c.mu.points = map[catalog.CollectionID]map[point.ID]point.Record{}
	return c
}

func (c *cluster) State() *catalog.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.state
}

func (c *cluster) note(ctx context.Context, call any) {
	c.mu.calls = append(c.mu.calls, call)
	if at, ok := ctx.Deadline(); ok {
		c.mu.calls = append(c.mu.calls, time.Until(at).Round(time.Second))
	}
}

// noteRead notes a read, and how it is to be answered if that is not the default.
func (c *cluster) noteRead(ctx context.Context, call any, o coordinator.ReadOptions) {
	c.note(ctx, call)
	if o != (coordinator.ReadOptions{}) {
		c.mu.calls = append(c.mu.calls, o)
	}
}

// taken returns the calls since the last taken.
func (c *cluster) taken() []any {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.mu.calls
	c.mu.calls = nil
	return calls
}

func (c *cluster) Propose(ctx context.Context, commands ...catalog.Command) ([]catalog.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(ctx, commands)
	if c.conflicts > 0 {
		c.conflicts--
		return nil, fault.New(fault.Conflict, "somebody was faster")
	}
	var results []catalog.Result
	for _, cmd := range commands {
		prepared, err := catalog.Prepare(c.mu.state, cmd, func(catalog.PeerID) bool { return true })
		if err != nil {
			return nil, err
		}
		cmd = prepared
		next, result := catalog.Apply(c.mu.state, cmd)
		c.mu.state = next
		results = append(results, result)
	}
	return results, results[0].Err
}

func (c *cluster) Info(ctx context.Context, collection string) (coordinator.Info, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(ctx, "info "+collection)
	found, ok := c.mu.state.Lookup(collection)
	if !ok || c.infoErr != nil {
		return coordinator.Info{}, c.infoErr
	}
	info := coordinator.Info{Points: uint64(len(c.mu.points[found.ID])), Fields: map[string]coordinator.FieldInfo{}}
	for path := range found.PayloadSchema {
		info.Fields[path] = coordinator.FieldInfo{Ready: c.unready == 0, Points: info.Points}
	}
	c.unready = max(0, c.unready-1)
	for _, sh := range found.Shards {
		info.Shards = append(info.Shards, coordinator.ShardInfo{ID: sh.ID, Answered: !slices.Contains(c.silent, sh.ID)})
	}
	return info, nil
}

func (c *cluster) open(collection string) (*catalog.Collection, map[point.ID]point.Record, error) {
	found, ok := c.mu.state.Lookup(collection)
	if !ok {
		return nil, nil, catalog.ErrMissingCollection(collection)
	}
	points := c.mu.points[found.ID]
	if points == nil {
		points = map[point.ID]point.Record{}
		c.mu.points[found.ID] = points
	}
	return found, points, nil
}

// Forget does it the plain way.
func (c *cluster) Forget(ctx context.Context, collection, inner string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(ctx, "forget "+inner)
	_, points, err := c.open(collection)
	for _, r := range points {
		r.VectorSet().Delete(inner)
	}
	return err
}

// Get returns copies, as a real shard does.
func (c *cluster) Get(ctx context.Context, collection string, r shard.GetRequest, o coordinator.ReadOptions) ([]point.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteRead(ctx, r, o)
	_, points, err := c.open(collection)
	if err != nil {
		return nil, err
	}
	var out []point.Record
	for _, id := range r.IDs {
		if rec, ok := points[id]; ok {
			out = append(out, seen(rec, r.Payload, r.Vectors))
		}
	}
	return out, nil
}

func (c *cluster) Scroll(ctx context.Context, collection string, r shard.ScrollRequest, o coordinator.ReadOptions) ([]point.Record, *point.ID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteRead(ctx, r, o)
	_, points, err := c.open(collection)
	if err != nil {
		return nil, nil, err
	}
	matched, err := matching(points, r.Filter)
	if err != nil {
		return nil, nil, err
	}
	var out []point.Record
	for _, rec := range matched {
		switch {
		case r.From != nil && rec.ID.Compare(*r.From) < 0:
		case uint64(len(out)) == r.Limit:
			return out, &rec.ID, nil
		default:
			out = append(out, seen(rec, r.Payload, r.Vectors))
		}
	}
	return out, nil, nil
}

func (c *cluster) Count(ctx context.Context, collection string, f *filter.Filter, o coordinator.ReadOptions) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteRead(ctx, f, o)
	_, points, err := c.open(collection)
	if err != nil {
		return 0, err
	}
	matched, err := matching(points, f)
	return uint64(len(matched)), err
}

func (c *cluster) Search(ctx context.Context, collection string, queries []coordinator.Query, o coordinator.ReadOptions) ([][]shard.Scored, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteRead(ctx, queries, o)
	found, points, err := c.open(collection)
	if err != nil {
		return nil, err
	}
	var out [][]shard.Scored
	for _, q := range queries {
		if q.Order != nil || q.Sample != nil {
			scored, err := ranked(points, found, q)
			if err != nil {
				return nil, err
			}
			out = append(out, scored)
			continue
		}
		scored, err := search(points, &found.Config, q)
		if err != nil {
			return nil, err
		}
		out = append(out, scored)
	}
	return out, nil
}

// Facet counts by hand.
func (c *cluster) Facet(ctx context.Context, collection string, req shard.FacetRequest, limit uint64, o coordinator.ReadOptions) ([]payload.Facet, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteRead(ctx, []any{req, limit}, o)
	found, points, err := c.open(collection)
	if err != nil {
		return nil, err
	}
	matched, err := matching(points, req.Filter)
	if err != nil {
		return nil, err
	}
	counts := map[any]uint64{}
	path, _ := point.ParsePath(req.Path)
	for _, rec := range matched {
		for _, v := range replica.FieldOf(found.PayloadSchema[req.Path]).Values(path, rec.Payload) {
			counts[v]++
		}
	}
	var out []payload.Facet
	for v, n := range counts {
		out = append(out, payload.Facet{Value: v, Count: n})
	}
	slices.SortFunc(out, payload.CompareFacets)
	return out[:min(uint64(len(out)), limit)], nil
}

func search(points map[point.ID]point.Record, config *catalog.Config, q coordinator.Query) ([]shard.Scored, error) {
	matched, err := matching(points, q.Filter)
	if err != nil {
		return nil, err
	}
	distance := config.Comparison(q.Using)
	if q.Explore != nil {
		distance = vec.Dot
	}
	var scored []shard.Scored
	for _, rec := range matched {
		score, ok := score(config, q, rec)
		if !ok || slices.Contains(q.Exclude, rec.ID) {
			continue
		}
		if q.ScoreThreshold != nil && !distance.Better(score, *q.ScoreThreshold) {
			continue
		}
		scored = append(scored, shard.Scored{Record: seen(rec, q.Payload, q.Vectors), Score: score})
	}
	slices.SortStableFunc(scored, func(a, b shard.Scored) int {
		switch {
		case distance.Better(a.Score, b.Score):
			return -1
		case distance.Better(b.Score, a.Score):
			return 1
		}
		return a.ID.Compare(b.ID)
	})
	scored = scored[min(q.Offset, uint64(len(scored))):]
	return scored[:min(q.Limit, uint64(len(scored)))], nil
}

// score compares a query with a record, one component after the other.
func score(config *catalog.Config, q coordinator.Query, rec point.Record) (sum float32, ok bool) {
	if q.Sparse != nil {
		v := rec.Sparse[q.Using]
		for i, index := range q.Sparse.Indices {
			if at := slices.Index(v.Indices, index); at >= 0 {
				sum, ok = sum+q.Sparse.Values[i]*v.Values[at], true
			}
		}
		return sum, ok
	}
	params := config.Vectors[q.Using]
	v, ok := rec.Vectors[q.Using]
	if q.Explore != nil {
		return explored(q.Explore, params, v), ok
	}
	for row := range slices.Chunk(rowsOf(params, q.Vector), int(params.Size)) {
		var best float32
		for i, other := range slices.Collect(slices.Chunk(v, int(params.Size))) {
			if x := params.Distance.Score(row, other); i == 0 || params.Distance.Better(x, best) {
				best = x
			}
		}
		sum += best
	}
	return sum, ok
}

// explored compares a vector with examples, by products; what it is worth is tested with shards.
func explored(x *shard.Explore, params catalog.VectorParams, v []float32) float32 {
	if v == nil {
		return 0
	}
	like := func(e []float32) float64 { return float64(params.Distance.Score(params.Distance.Stored(e), v)) }
	squash := func(x float64) float64 { return 0.5 * (x/(1+math.Abs(x)) + 1) }
	sum, most, least := 0.0, math.Inf(-1), math.Inf(-1)
	for i, p := range x.Positive {
		switch x.Kind {
		case shard.Discover:
			sum += float64(cmp.Compare(like(p), like(x.Negative[i])))
		case shard.Context:
			by := min(like(p)-like(x.Negative[i])-math.Pow(2, -23), 0)
			sum += by / (1 - by)
		case shard.BestScore, shard.SumScores:
			sum, most = sum+like(p), max(most, like(p))
		}
	}
	for _, n := range x.Negative {
		if x.Kind == shard.SumScores {
			sum -= like(n)
		}
		least = max(least, like(n))
	}
	switch {
	case x.Kind == shard.Discover:
		sum += squash(like(x.Target))
	case x.Kind == shard.BestScore && most > least:
		sum = squash(most)
	case x.Kind == shard.BestScore:
		sum = -squash(least)
	}
	return float32(sum)
}

// ranked puts the first value of each point in order; a sample is by id.
func ranked(points map[point.ID]point.Record, c *catalog.Collection, q coordinator.Query) (out []shard.Scored, err error) {
	matched, err := matching(points, q.Filter)
	for _, rec := range matched {
		hit := shard.Scored{Record: seen(rec, q.Payload, q.Vectors), Score: 1}
		if q.Order != nil {
			path, _ := point.ParsePath(q.Order.Path)
			keys := replica.FieldOf(c.PayloadSchema[q.Order.Path]).Keys(path, rec.Payload)
			if len(keys) == 0 {
				continue
			}
			hit.Rank = keys[0]
		}
		out = append(out, hit)
	}
	slices.SortStableFunc(out, func(a, b shard.Scored) int {
		if q.Order != nil && q.Order.Desc {
			a, b = b, a
		}
		return cmp.Compare(a.Rank, b.Rank)
	})
	out = out[min(q.Offset, uint64(len(out))):]
	return out[:min(q.Limit, uint64(len(out)))], err
}

func seen(rec point.Record, p shard.PayloadSelector, v shard.VectorSelector) point.Record {
	out := point.Record{Point: point.Point{ID: rec.ID}, Version: rec.Version}
	if p.Enable {
		projection, err := point.NewProjection(p.Include, p.Exclude)
		if err != nil {
			panic(err) // the API checks paths
		}
		out.Payload = projection.Apply(rec.Payload)
	}
	if v.Enable {
		set := rec.VectorSet().Clone()
		for _, name := range set.Names() {
			if v.Names != nil && !slices.Contains(v.Names, name) {
				set.Delete(name)
			}
		}
		out.Vectors, out.Sparse = set.Dense, set.Sparse
	}
	return out
}

type target struct{ point.Record }

func (t target) ID() point.ID                   { return t.Record.ID }
func (t target) Member(name string) (any, bool) { return t.Record.Payload.Member(name) }
func (t target) HasVector(name string) bool     { return slices.Contains(t.VectorSet().Names(), name) }

func matching(points map[point.ID]point.Record, f *filter.Filter) ([]point.Record, error) {
	m, err := filter.Compile(f)
	if err != nil {
		return nil, err
	}
	var out []point.Record
	for _, id := range slices.SortedFunc(maps.Keys(points), point.ID.Compare) {
		if m.Match(target{points[id]}) {
			out = append(out, points[id])
		}
	}
	return out, nil
}

func (c *cluster) Write(ctx context.Context, collection string, op point.Op, o coordinator.WriteOptions) (coordinator.WriteResult, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(ctx, op)
	if o.Wait {
		c.mu.calls = append(c.mu.calls, "wait")
	}
	if o.Keys != nil {
		c.mu.calls = append(c.mu.calls, *o.Keys)
	}
	if c.writeErr != nil {
		return coordinator.WriteResult{}, c.writeErr
	}
	found, points, err := c.open(collection)
	if err != nil {
		return coordinator.WriteResult{}, err
	}
	c.mu.op++
	w := writer{config: found.Config, points: points, version: c.mu.op}
	return coordinator.WriteResult{OperationID: c.mu.op, Completed: o.Wait && !c.neverApplied}, w.apply(op)
}

// writer applies one operation the plain way.
type writer struct {
	config  catalog.Config
	points  map[point.ID]point.Record
	version uint64
}

func (w writer) apply(op point.Op) error {
	switch op := op.(type) {
	case point.Upsert:
		return w.upsert(op)
	case point.UpdateVectors:
		for _, p := range op.Points {
			rec, ok := w.points[p.ID]
			if !ok {
				return fault.New(fault.NotFound, "No point with id %s found", p.ID)
			}
			set := rec.VectorSet().Clone()
			set.Put(w.stored(p.VectorSet()))
			rec.Vectors, rec.Sparse = set.Dense, set.Sparse
			w.points[p.ID] = rec
		}
		return nil
	case point.Delete:
		return w.each(op.Selector, func(r *point.Record) bool { return false })
	case point.ClearPayload:
		return w.each(op.Selector, func(r *point.Record) bool { r.Payload = point.Payload{}; return true })
	case point.SetPayload:
		return w.each(op.Selector, func(r *point.Record) bool {
			if op.Key == "" {
				r.Payload = point.Merge(r.Payload, op.Payload)
				return true
			}
			path, _ := point.ParsePath(op.Key)
			r.Payload = path.Set(r.Payload, op.Payload)
			return true
		})
	case point.OverwritePayload:
		return w.each(op.Selector, func(r *point.Record) bool {
			if op.Key == "" {
				r.Payload = op.Payload.Clone()
				return true
			}
			path, _ := point.ParsePath(op.Key)
			r.Payload = path.Replace(r.Payload, op.Payload)
			return true
		})
	case point.DeletePayload:
		return w.each(op.Selector, func(r *point.Record) bool {
			for _, key := range op.Keys {
				path, _ := point.ParsePath(key)
				path.Delete(r.Payload)
			}
			return true
		})
	case point.DeleteVectors:
		return w.each(op.Selector, func(r *point.Record) bool {
			for _, name := range op.Names {
				r.VectorSet().Delete(name)
			}
			return true
		})
	}
	return errors.New("unknown operation")
}

func (w writer) upsert(op point.Upsert) error {
	condition, err := filter.CompileEncoded(op.Condition)
	if err != nil {
		return err
	}
	for _, p := range op.Points {
		old, exists := w.points[p.ID]
		switch {
		case exists && (op.Mode == point.InsertOnly || !condition.Match(target{old})):
		case !exists && op.Mode == point.UpdateOnly:
		default:
			set := w.stored(p.VectorSet())
			w.points[p.ID] = point.Record{
				Point:   point.Point{ID: p.ID, Vectors: set.Dense, Sparse: set.Sparse, Payload: p.Payload.Clone()},
				Version: w.version,
			}
		}
	}
	return nil
}

func (w writer) stored(set point.VectorSet) point.VectorSet {
	out := point.VectorSet{Dense: point.Vectors{}, Sparse: set.Sparse}
	for name, v := range set.Dense {
		out.Dense[name] = rowsOf(w.config.Vectors[name], v)
	}
	return out
}

// rowsOf returns the vectors of a multivector, or one vector, as they are stored.
func rowsOf(params catalog.VectorParams, v []float32) (out []float32) {
	for row := range slices.Chunk(v, int(params.Size)) {
		out = append(out, params.Distance.Stored(row)...)
	}
	return out
}

// each changes the selected points; change returns false to delete.
func (w writer) each(s point.Selector, change func(*point.Record) bool) error {
	matcher, err := filter.CompileEncoded(s.Filter)
	if err != nil {
		return err
	}
	for id, rec := range w.points {
		if (s.IDs != nil && !slices.Contains(s.IDs, id)) || (s.IDs == nil && !matcher.Match(target{rec})) {
			continue
		}
		rec.Version = w.version
		if !change(&rec) {
			delete(w.points, id)
			continue
		}
		w.points[id] = rec
	}
	return nil
}
