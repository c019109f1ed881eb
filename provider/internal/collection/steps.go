package collection

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// step is one request of an update, and whether the placement must settle before the next one.
type step struct {
	what   string
	do     func(ctx context.Context, c *client.Client) error
	settle bool
}

// steps leads from what the server has to what is wanted, in an order in which writes stay possible throughout: the write
// consistency goes down before replicas may go, and up only when the replicas it needs are there; copies that come are made
// before shards are cut anew, and copies that go are dropped after it. It compares with the server and not with the
// state, so that an interrupted update goes on where it stopped.
func steps(have *client.Collection, want wanted) []step {
	out, have := vectorSteps(have, want)
	reset, first := configChanges(have, want)
	if reset != nil {
		out = append(out, updating(want.Name, "clear graph settings of vectors", false, client.CollectionUpdate{Vectors: reset}))
	}
	replicas, factor := *want.ReplicationFactor, *want.WriteConsistencyFactor
	lowers := factor < have.WriteConsistencyFactor
	if lowers {
		first.WriteConsistencyFactor = &factor
	}
	if !reflect.DeepEqual(first, client.CollectionUpdate{}) {
		out = append(out, updating(want.Name, "change settings", lowers, first))
	}
	copies := updating(want.Name, "change the number of replicas", true, client.CollectionUpdate{ReplicationFactor: &replicas})
	if replicas > have.ReplicationFactor {
		out = append(out, copies)
	}
	if n := want.ShardNumber; n != nil && *n != have.ShardNumber {
		out = append(out, step{
			what: fmt.Sprintf("cut into %d shards instead of %d", *n, have.ShardNumber), settle: true,
			do: func(ctx context.Context, c *client.Client) error { return reshard(ctx, c, want.Name, *n) },
		})
	}
	if replicas < have.ReplicationFactor {
		out = append(out, copies)
	}
	if factor > have.WriteConsistencyFactor {
		out = append(out, updating(want.Name, "raise the write consistency", true, client.CollectionUpdate{WriteConsistencyFactor: &factor}))
	}
	return out
}

func updating(name, what string, settle bool, u client.CollectionUpdate) step {
	return step{what: what, settle: settle, do: func(ctx context.Context, c *client.Client) error { return c.UpdateCollection(ctx, name, u) }}
}

// reshard declares the number of shards and stays with the operation until it ends.
func reshard(ctx context.Context, c *client.Client, name string, shards uint32) error {
	operation, err := c.Reshard(ctx, name, shards, nil)
	if err != nil || operation == nil {
		return err
	}
	return wait.Operation(ctx, c, *operation)
}

// vectorSteps removes and adds vectors, and returns what the server has then: of an added vector only what makes up its space.
func vectorSteps(have *client.Collection, want wanted) ([]step, *client.Collection) {
	then := *have
	then.Vectors, then.SparseVectors = maps.Clone(have.Vectors), maps.Clone(have.SparseVectors)
	var out []step
	remove := func(name string) {
		out = append(out, step{what: fmt.Sprintf("remove vector %q", name), do: func(ctx context.Context, c *client.Client) error {
			return c.DeleteVector(ctx, want.Name, name)
		}})
	}
	for _, name := range slices.Sorted(maps.Keys(have.Vectors)) {
		if _, ok := want.Vectors[name]; !ok {
			remove(name)
			delete(then.Vectors, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have.SparseVectors)) {
		if _, ok := want.SparseVectors[name]; !ok {
			remove(name)
			delete(then.SparseVectors, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Vectors)) {
		if _, ok := have.Vectors[name]; !ok {
			v := want.Vectors[name]
			space := client.VectorParams{Size: v.Size, Distance: v.Distance, Datatype: v.Datatype, MultiVector: v.MultiVector}
			out = append(out, step{what: fmt.Sprintf("add vector %q", name), do: func(ctx context.Context, c *client.Client) error {
				return c.CreateVector(ctx, want.Name, name, space)
			}})
			then.Vectors = put(then.Vectors, name, space)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.SparseVectors)) {
		if _, ok := have.SparseVectors[name]; !ok {
			space := client.SparseParams{Modifier: want.SparseVectors[name].Modifier, Datatype: want.SparseVectors[name].Datatype}
			out = append(out, step{what: fmt.Sprintf("add sparse vector %q", name), do: func(ctx context.Context, c *client.Client) error {
				return c.CreateSparseVector(ctx, want.Name, name, space)
			}})
			then.SparseVectors = put(then.SparseVectors, name, space)
		}
	}
	return out, &then
}

// configChanges returns everything but vectors that come and go, replicas, shards and write consistency. An override of a
// vector's graph can only gain settings in one request; one that loses some is cleared first, by the request that reset
// describes.
func configChanges(have *client.Collection, want wanted) (reset map[string]client.VectorUpdate, u client.CollectionUpdate) {
	if want.OnDiskPayload != nil && *want.OnDiskPayload != have.OnDiskPayload {
		u.OnDiskPayload = want.OnDiskPayload
	}
	if f := want.ReadFanOutFactor; f != nil && *f != valueOf(have.ReadFanOutFactor) {
		u.ReadFanOutFactor = f
	}
	u.ReadFanOutDelayMS = changed(have.ReadFanOutDelayMS, want.ReadFanOutDelayMS)
	u.HNSW = graphChanges(have.HNSW, want.HNSW)
	u.Optimizers = optimizerChanges(have.Optimizers, want.Optimizers)
	u.Quantization = quantizationChange(have.Quantization, want.Quantization)
	u.Strict = strictChange(have.Strict, want.Strict)
	u.Metadata = metadataChanges(have.Metadata, want.Metadata)
	for name, v := range want.Vectors {
		change, loses := vectorChange(have.Vectors[name], v)
		if loses {
			reset = put(reset, name, client.VectorUpdate{HNSW: &client.HNSW{}})
		}
		if change != (client.VectorUpdate{}) {
			u.Vectors = put(u.Vectors, name, change)
		}
	}
	for name, v := range want.SparseVectors {
		if change, any := sparseChange(have.SparseVectors[name], v); any {
			u.SparseVectors = put(u.SparseVectors, name, change)
		}
	}
	return reset, u
}

func valueOf[T any](v *T) T {
	var zero T
	if v == nil {
		return zero
	}
	return *v
}

func put[T any](m map[string]T, name string, v T) map[string]T {
	if m == nil {
		m = map[string]T{}
	}
	m[name] = v
	return m
}

// quantizationChange returns nil when the two mean the same.
func quantizationChange(have, want *client.Quantization) *client.Quantization {
	switch {
	case meaningOf(have) == meaningOf(want):
		return nil
	case want == nil:
		return &client.Quantization{}
	}
	return want
}

// quantizationMeaning is a quantization with every default filled in, to be compared.
type quantizationMeaning struct {
	kind, text, query string
	quantile          float32 // 0: none
	ram               bool
}

func meaningOf(q *client.Quantization) quantizationMeaning {
	or := func(text string, defaults []string) string {
		if text == "" {
			return defaults[0]
		}
		return text
	}
	switch {
	case q == nil:
	case q.Scalar != nil:
		return quantizationMeaning{kind: "scalar", quantile: valueOf(q.Scalar.Quantile), ram: valueOf(q.Scalar.AlwaysRAM)}
	case q.Product != nil:
		return quantizationMeaning{kind: "product", text: q.Product.Compression, ram: valueOf(q.Product.AlwaysRAM)}
	case q.Binary != nil:
		return quantizationMeaning{
			kind: "binary", text: or(q.Binary.Encoding, client.BinaryEncodings()), query: or(q.Binary.QueryEncoding, client.QueryEncodings()),
			ram: valueOf(q.Binary.AlwaysRAM),
		}
	}
	return quantizationMeaning{}
}

// sparseChange returns what to change of one sparse vector; what goes back to its default is sent as that.
func sparseChange(have, want client.SparseParams) (change client.SparseParams, any bool) {
	or := func(text string) string {
		if text == "" {
			return defaultModifier
		}
		return text
	}
	if or(have.Modifier) != or(want.Modifier) {
		change.Modifier = or(want.Modifier)
	}
	if disk := valueOf(want.OnDisk); disk != valueOf(have.OnDisk) {
		change.OnDisk = &disk
	}
	change.FullScanThreshold = changed(have.FullScanThreshold, want.FullScanThreshold)
	return change, change != (client.SparseParams{})
}

// graphChanges compares effective values: one that the server does not report is at its default.
func graphChanges(have client.HNSW, want *client.HNSW) *client.HNSW {
	effective := observeGraph(have)
	filled := *effective.wire()
	m := filled.M
	if want.M != nil {
		m = want.M
	}
	out := &client.HNSW{
		M: changed(filled.M, want.M), EfConstruct: changed(filled.EfConstruct, want.EfConstruct),
		FullScanThreshold:  changed(filled.FullScanThreshold, want.FullScanThreshold),
		MaxIndexingThreads: changed(filled.MaxIndexingThreads, want.MaxIndexingThreads),
		OnDisk:             changed(filled.OnDisk, want.OnDisk),
	}
	switch {
	case want.PayloadM != nil:
		out.PayloadM = changed(have.PayloadM, want.PayloadM)
	case have.PayloadM != nil: // wanted is "as m", but a number stands there, which cannot be taken back
		out.PayloadM = changed(have.PayloadM, m)
	}
	return nonEmpty(out)
}

func optimizerChanges(have client.Optimizers, want *client.Optimizers) *client.Optimizers {
	effective := observeOptimizers(have)
	filled := *effective.wire()
	return nonEmpty(&client.Optimizers{
		DeletedThreshold:       changed(filled.DeletedThreshold, want.DeletedThreshold),
		VacuumMinVectorNumber:  changed(filled.VacuumMinVectorNumber, want.VacuumMinVectorNumber),
		DefaultSegmentNumber:   changed(filled.DefaultSegmentNumber, want.DefaultSegmentNumber),
		MaxSegmentSize:         changed(filled.MaxSegmentSize, want.MaxSegmentSize),
		MemmapThreshold:        changed(filled.MemmapThreshold, want.MemmapThreshold),
		IndexingThreshold:      changed(filled.IndexingThreshold, want.IndexingThreshold),
		FlushIntervalSec:       changed(filled.FlushIntervalSec, want.FlushIntervalSec),
		MaxOptimizationThreads: changed(filled.MaxOptimizationThreads, want.MaxOptimizationThreads),
		PreventUnoptimized:     changed(filled.PreventUnoptimized, want.PreventUnoptimized),
	})
}

// metadataChanges is a merge by key: nil removes. A value whose text is the wanted one already stays untouched.
func metadataChanges(have, want map[string]any) map[string]any {
	out := map[string]any{}
	text := metadataText(have)
	for key := range text {
		if _, ok := want[key]; !ok {
			out[key] = nil
		}
	}
	for key, value := range want {
		if current, ok := text[key]; !ok || current != value {
			out[key] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// vectorChange returns what to change of one vector, and whether its graph settings must be cleared first.
func vectorChange(have, want client.VectorParams) (change client.VectorUpdate, clear bool) {
	effective := boolOf(have.OnDisk).ValueBoolPointer()
	change.OnDisk = changed(effective, want.OnDisk)
	old, target := orEmpty(have.HNSW), orEmpty(want.HNSW)
	if clear = loses(old, target); clear {
		old = client.HNSW{}
	}
	if !reflect.DeepEqual(old, target) {
		change.HNSW = &target
	}
	change.Quantization = quantizationChange(have.Quantization, want.Quantization)
	return change, clear
}

func orEmpty(h *client.HNSW) client.HNSW {
	if h == nil {
		return client.HNSW{}
	}
	return *h
}

// loses reports whether a setting of old is not set in target.
func loses(old, target client.HNSW) bool {
	return gone(old.M, target.M) || gone(old.EfConstruct, target.EfConstruct) ||
		gone(old.FullScanThreshold, target.FullScanThreshold) || gone(old.MaxIndexingThreads, target.MaxIndexingThreads) ||
		gone(old.OnDisk, target.OnDisk) || gone(old.PayloadM, target.PayloadM)
}

func gone[T any](old, target *T) bool { return old != nil && target == nil }

// changed returns want if it is set and differs from have, else nil: "keep" in an update.
func changed[T comparable](have, want *T) *T {
	if want == nil || (have != nil && *have == *want) {
		return nil
	}
	return want
}

func nonEmpty[T comparable](v *T) *T {
	var zero T
	if *v == zero {
		return nil
	}
	return v
}
