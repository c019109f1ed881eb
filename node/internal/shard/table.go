package shard

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// table is what is kept in memory of every point but its vectors. Only the Apply under way changes it: it reads it as it
// likes, and holds Shard.mu while it changes what readers see under that lock.
type table struct {
	labels map[point.ID]uint32
	rows   rows // by label
	used   uint32
	free   []freed            // in the order in which they were
	large  map[uint32]kv.Refs // of the few points with records in pieces
	bytes  uint64
	// payloads is the payloads' part of bytes.
	payloads uint64
}

// row is a point. Its id stays for as long as any reader may know the label, so it is read without a lock.
type row struct {
	id           point.ID
	version      uint64
	payloadBytes uint32
	vectorBytes  uint32
}

// rows lie in chunks, so that they stay where they are when there are more.
type rows []*[rowsPerChunk]row

const rowsPerChunk = 1024

func (r rows) at(label uint32) *row { return &r[label/rowsPerChunk][label%rowsPerChunk] }

func (r rows) id(label uint32) point.ID { return r.at(label).id }

// before orders labels by the ids of their points.
func (r rows) before(a, b uint32) bool { return r.id(a).Compare(r.id(b)) < 0 }

// freed is a label that no point has since a publish.
type freed struct {
	label uint32
	since uint64
}

func newTable() *table {
	return &table{labels: map[point.ID]uint32{}, large: map[uint32]kv.Refs{}}
}

// label returns the label of a point; if it has none, one that no reader since the publish oldest can know.
func (t *table) label(id point.ID, oldest uint64) uint32 {
	if l, ok := t.labels[id]; ok {
		return l
	}
	if len(t.free) > 0 && t.free[0].since <= oldest {
		l := t.free[0].label
		t.free = t.free[1:]
		return l
	}
	t.used++
	return t.used - 1
}

// put gives a label to a point, and reports whether it was not the point's already.
func (t *table) put(label uint32, id point.ID) bool {
	if _, ok := t.labels[id]; ok {
		return false
	}
	if int(label/rowsPerChunk) == len(t.rows) {
		t.rows = append(t.rows[:len(t.rows):len(t.rows)], new([rowsPerChunk]row))
	}
	*t.rows.at(label) = row{id: id}
	t.labels[id] = label
	return true
}

// remove forgets a point with the publish seq.
func (t *table) remove(label uint32, seq uint64) {
	r := t.rows.at(label)
	t.bytes -= uint64(r.payloadBytes) + uint64(r.vectorBytes)
	t.payloads -= uint64(r.payloadBytes)
	delete(t.labels, r.id)
	delete(t.large, label)
	r.version, r.payloadBytes, r.vectorBytes = 0, 0, 0
	t.free = append(t.free, freed{label, seq})
}

func (t *table) setPayload(label uint32, version uint64, bytes int) {
	r := t.rows.at(label)
	t.bytes += uint64(bytes) - uint64(r.payloadBytes)
	t.payloads += uint64(bytes) - uint64(r.payloadBytes)
	r.version, r.payloadBytes = max(r.version, version), uint32(bytes)
}

func (t *table) setVectors(label uint32, version uint64, bytes int) {
	r := t.rows.at(label)
	t.bytes += uint64(bytes) - uint64(r.vectorBytes)
	r.version, r.vectorBytes = max(r.version, version), uint32(bytes)
}

func (t *table) setRefs(label uint32, refs kv.Refs) {
	if refs == (kv.Refs{}) {
		delete(t.large, label)
	} else {
		t.large[label] = refs
	}
}
