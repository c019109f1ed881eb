package collection

import (
	"reflect"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// step is one request of an update, and whether the placement must settle before the next one.
type step struct {
	what   string
	update client.CollectionUpdate
	settle bool
}

// steps leads from what the server has to what is wanted, in an order in which writes stay possible throughout: the
// write consistency goes down before replicas may go, and up only when the replicas it needs are there. It compares
// with the server and not with the state, so that an interrupted update goes on where it stopped.
func steps(have *client.Collection, want client.CollectionSpec) []step {
	var out []step
	reset, first := configChanges(have, want)
	if reset != nil {
		out = append(out, step{what: "clear graph settings of vectors", update: client.CollectionUpdate{Vectors: reset}})
	}
	replicas, factor := *want.ReplicationFactor, *want.WriteConsistencyFactor
	lowers := factor < have.WriteConsistencyFactor
	if lowers {
		first.WriteConsistencyFactor = &factor
	}
	if !reflect.DeepEqual(first, client.CollectionUpdate{}) {
		out = append(out, step{what: "change settings", update: first, settle: lowers})
	}
	if replicas != have.ReplicationFactor {
		out = append(out, step{
			what: "change the number of replicas", settle: true,
			update: client.CollectionUpdate{ReplicationFactor: &replicas},
		})
	}
	if factor > have.WriteConsistencyFactor {
		out = append(out, step{
			what: "raise the write consistency", settle: true,
			update: client.CollectionUpdate{WriteConsistencyFactor: &factor},
		})
	}
	return out
}

// configChanges returns everything but replicas and write consistency. An override of a vector's graph can only gain
// settings in one request; one that loses some is cleared first, by the request that reset describes.
func configChanges(have *client.Collection, want client.CollectionSpec) (reset map[string]client.VectorUpdate, u client.CollectionUpdate) {
	if want.OnDiskPayload != nil && *want.OnDiskPayload != have.OnDiskPayload {
		u.OnDiskPayload = want.OnDiskPayload
	}
	u.HNSW = graphChanges(have.HNSW, want.HNSW)
	u.Optimizers = optimizerChanges(have.Optimizers, want.Optimizers)
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
	return reset, u
}

func put(m map[string]client.VectorUpdate, name string, u client.VectorUpdate) map[string]client.VectorUpdate {
	if m == nil {
		m = map[string]client.VectorUpdate{}
	}
	m[name] = u
	return m
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
