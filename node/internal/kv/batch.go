package kv

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// HardState is what a replica keeps durably beside its log and its applied index.
type HardState struct {
	Promised uint64
	Led      uint64
}

// LogEntry is one entry of a replica's log.
type LogEntry struct {
	Index uint64
	Term  uint64
	Kind  uint8
	Data  []byte
}

// Batch is a list of changes that Commit makes durable. The zero value is empty and ready. It keeps references to the
// slices that it is given; they must not change until Commit has returned. A Batch is not safe for concurrent use.
//
// However they were added, changes are made in this order: hard states and pending marks; then logs, points and node
// values as added; then applied indexes and the removal of pending marks. A Batch that fits into one transaction
// (see Atomic) is stored whole or not at all. A larger one is stored in parts, in that order, so that a crash between
// them leaves:
//
//   - a hard state that promises more than the log shows, which is always safe: never a log with an entry of a term
//     above the promise;
//   - logs contiguous from the front: entries are added one after the other, and an entry of which a part is missing is
//     not there;
//   - each record whole, old or new (pieces first, then the record that points at them, together with the removal of
//     the pieces it replaces);
//   - the old applied index beside some newer records, and the pending mark if one was set.
//
// Views never show a part of a Batch, whatever its size.
type Batch struct {
	// Urgent: it is small, and others wait for it (a term, a promise), or it makes room. It may use what is kept for such on a full
	// disk.
	Urgent bool

	head, body, tail []change
	bytes, count     int
}

// change is one element of a Batch: either writes, made in one transaction, or a change of a log, which the committer
// turns into writes when it knows the log's end.
type change struct {
	writes     []write
	log        logChange
	generation uint64
	index      uint64 // truncate: the first to go; compact and base: the last that is gone
	term       uint64 // base
	entry      LogEntry
}

type logChange uint8

const (
	noLogChange logChange = iota
	logAppend
	logTruncate
	logCompact
	logBase
)

// write is one operation on the database. A nil value deletes; with an end, it deletes every key from key up to, not
// including, end.
type write struct{ key, value, end []byte }

// perWrite is what the database adds to a key and a value, rounded up.
const perWrite = 64

func (w write) cost() int { return len(w.key) + len(w.value) + len(w.end) + perWrite }

// AtomicBytes bounds the batches that are stored whole or not at all, whatever they hold.
const AtomicBytes = 2 << 20

// atomicCount bounds their number of writes.
const atomicCount = 16_000

// Atomic reports whether b is surely stored in one transaction.
func (b *Batch) Atomic() bool { return b.bytes <= AtomicBytes && b.count <= atomicCount }

// Fits reports whether b is still Atomic with o appended.
func (b *Batch) Fits(o *Batch) bool {
	return b.bytes+o.bytes <= AtomicBytes && b.count+o.count <= atomicCount
}

// Bytes is about what b adds to the disk.
func (b *Batch) Bytes() int { return b.bytes }

// Empty reports whether b changes nothing.
func (b *Batch) Empty() bool { return len(b.head)+len(b.body)+len(b.tail) == 0 }

func (b *Batch) add(section *[]change, writes ...write) {
	for _, w := range writes {
		b.bytes += w.cost()
	}
	b.count += len(writes)
	*section = append(*section, change{writes: writes})
}

// SetHardState stores a replica's promised and led terms.
func (b *Batch) SetHardState(generation uint64, hs HardState) {
	key := keyField(generation, fieldHardState)
	b.add(&b.head, write{key: key, value: sealNumbers(key, hs.Promised, hs.Led)})
}

// SetApplied stores the index up to which the points show the log. It also removes a pending mark.
func (b *Batch) SetApplied(generation, index uint64) {
	key := keyField(generation, fieldApplied)
	b.add(&b.tail, write{key: key, value: sealNumbers(key, index)}, write{key: keyField(generation, fieldPending)})
}

// SetPending marks that from now on a part of the operation at index may be stored while applied is still lower.
// SetApplied ends it.
func (b *Batch) SetPending(generation, index uint64) {
	key := keyField(generation, fieldPending)
	b.add(&b.head, write{key: key, value: sealNumbers(key, index)})
}

// SetMoves stores what a replica knows of moves, as of the applied index that is stored with it; nothing removes it.
func (b *Batch) SetMoves(generation uint64, state []byte) {
	key := keyField(generation, fieldMoves)
	if len(state) == 0 {
		b.add(&b.tail, write{key: key})
		return
	}
	b.add(&b.tail, write{key: key, value: sealSmall(key, state)})
}

// SetFill stores how far a generation has been filled from a snapshot, after everything else in the batch.
func (b *Batch) SetFill(generation uint64, f Fill) {
	key := keyField(generation, fieldFill)
	b.add(&b.tail, write{key: key, value: sealFill(key, f)})
}

// AppendLog adds entries to the end of a log. They must follow its last one, or what TruncateLog in the same batch
// leaves of it, without a gap; otherwise Commit refuses the batch as a whole.
func (b *Batch) AppendLog(generation uint64, entries ...LogEntry) {
	for _, e := range entries {
		b.bytes += entryHeaderLen + len(e.Data) + entryParts(len(e.Data))*(24+perWrite)
		b.count += entryParts(len(e.Data))
		b.body = append(b.body, change{log: logAppend, generation: generation, entry: e})
	}
}

// TruncateLog removes the entries from, from+1, ... to the end.
func (b *Batch) TruncateLog(generation, from uint64) {
	b.body = append(b.body, change{log: logTruncate, generation: generation, index: from})
}

// CompactLog removes the entries up to through (included) from the front. The term of through is kept.
func (b *Batch) CompactLog(generation, through uint64) {
	b.body = append(b.body, change{log: logCompact, generation: generation, index: through})
}

// SetLogBase empties a log and lets it begin after (index, term): for a replica that starts from a snapshot.
func (b *Batch) SetLogBase(generation, index, term uint64) {
	b.body = append(b.body, change{log: logBase, generation: generation, index: index, term: term})
}

// Refs tells where both records of a point are.
type Refs struct{ Payload, Vectors Ref }

// PutPoint stores both records of a point, each at most MaxBody long: its encoded payload and its encoded vectors (nil:
// none), with the index of
// the operation that made them. They change together, whatever the batch's size. old is where what they replace is (the
// zero Refs if there is nothing); the result is to be given to the next change of the point.
func (b *Batch) PutPoint(generation uint64, id point.ID, version uint64, payload, vectors []byte, old Refs) Refs {
	var refs Refs
	var p, v []write
	p, refs.Payload = b.putRecord(fieldPayload, generation, id, version, payload, old.Payload)
	if vectors == nil {
		v = appendPieceDeletes([]write{{key: keyPoint(generation, fieldVectors, id)}}, fieldVectors, generation, id, old.Vectors)
	} else {
		v, refs.Vectors = b.putRecord(fieldVectors, generation, id, version, vectors, old.Vectors)
	}
	b.add(&b.body, append(p, v...)...)
	return refs
}

// PutPayload is PutPoint for the payload alone.
func (b *Batch) PutPayload(generation uint64, id point.ID, version uint64, payload []byte, old Refs) Refs {
	writes, ref := b.putRecord(fieldPayload, generation, id, version, payload, old.Payload)
	b.add(&b.body, writes...)
	return Refs{Payload: ref, Vectors: old.Vectors}
}

// PutVectors is PutPoint for the vectors alone.
func (b *Batch) PutVectors(generation uint64, id point.ID, version uint64, vectors []byte, old Refs) Refs {
	writes, ref := b.putRecord(fieldVectors, generation, id, version, vectors, old.Vectors)
	b.add(&b.body, writes...)
	return Refs{Payload: old.Payload, Vectors: ref}
}

// DeletePoint removes both records of a point together.
func (b *Batch) DeletePoint(generation uint64, id point.ID, old Refs) {
	if mutation.On(mutation.ForgottenTombstone) {
		return
	}
	writes := []write{{key: keyPoint(generation, fieldPayload, id)}, {key: keyPoint(generation, fieldVectors, id)}}
	writes = appendPieceDeletes(writes, fieldPayload, generation, id, old.Payload)
	b.add(&b.body, appendPieceDeletes(writes, fieldVectors, generation, id, old.Vectors)...)
}

// putRecord adds the pieces of a large body, and returns what makes them visible.
func (b *Batch) putRecord(field byte, generation uint64, id point.ID, version uint64, body []byte, old Ref) ([]write, Ref) {
	head, pieces, ref := sealRecord(id, version, body)
	for i, piece := range pieces {
		b.add(&b.body, write{key: keyPiece(generation, field, id, version, uint16(i)), value: piece})
	}
	writes := []write{{key: keyPoint(generation, field, id), value: head}}
	if old.Version != version { // redone after a crash: the pieces of this very version stay
		writes = appendPieceDeletes(writes, field, generation, id, old)
	}
	return writes, ref
}

func appendPieceDeletes(writes []write, field byte, generation uint64, id point.ID, old Ref) []write {
	for i := range old.Pieces {
		writes = append(writes, write{key: keyPiece(generation, field, id, old.Version, i)})
	}
	return writes
}

// Append adds the changes of o behind those of b; o is not to be used any more.
func (b *Batch) Append(o *Batch) {
	b.head = append(b.head, o.head...)
	b.body = append(b.body, o.body...)
	b.tail = append(b.tail, o.tail...)
	b.bytes, b.count = b.bytes+o.bytes, b.count+o.count
}

// SetMeta stores a small value of the node itself.
func (b *Batch) SetMeta(name string, value []byte) {
	key := keyMeta(name)
	b.add(&b.body, write{key: key, value: sealSmall(key, value)})
}

// DeleteMeta removes a value of the node.
func (b *Batch) DeleteMeta(name string) { b.add(&b.body, write{key: keyMeta(name)}) }
