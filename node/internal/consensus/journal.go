package consensus

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
)

// journal is Raft's log, its term and vote, and its snapshots, in the node's store: one kind of file to trust, one fsync for all.
// Everything carries a checksum. Its methods are called by Raft's goroutines.
type journal struct{ ledger *kv.Ledger }

var (
	_ raft.LogStore          = journal{}
	_ raft.MonotonicLogStore = journal{}
	_ raft.StableStore       = journal{}
	_ raft.SnapshotStore     = journal{}
)

// An entry of the log:
//
//	offset  size
//	0       1     version, 1
//	1       1     type
//	2       8     term, big endian
//	10      8     when the leader appended it, in ns since 1970; 0: unknown
//	18      4     length of the extensions
//	22      ...   extensions, then data
const (
	entryVersion = 1
	entryHeader  = 22
)

func encodeEntry(l *raft.Log) []byte {
	b := append(make([]byte, 0, entryHeader+len(l.Extensions)+len(l.Data)), entryVersion, byte(l.Type))
	b = binary.BigEndian.AppendUint64(b, l.Term)
	var at int64
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Extensions)))
	return append(append(b, l.Extensions...), l.Data...)
}

func decodeEntry(index uint64, b []byte, l *raft.Log) error {
	if len(b) < entryHeader || b[0] == 0 {
		return fault.New(fault.Corrupt, "metadata log entry %d: %d bytes", index, len(b))
	}
	if b[0] > entryVersion {
		return fault.New(fault.Unsupported, "metadata log entry %d is of format %d, which a newer version wrote", index, b[0])
	}
	extensions := int(binary.BigEndian.Uint32(b[18:]))
	if extensions > len(b)-entryHeader {
		return fault.New(fault.Corrupt, "metadata log entry %d: extensions of %d bytes", index, extensions)
	}
	*l = raft.Log{Index: index, Type: raft.LogType(b[1]), Term: binary.BigEndian.Uint64(b[2:]), Data: b[entryHeader+extensions:]}
	if at := int64(binary.BigEndian.Uint64(b[10:])); at != 0 {
		l.AppendedAt = time.Unix(0, at)
	}
	if extensions > 0 {
		l.Extensions = b[entryHeader : entryHeader+extensions]
	}
	return nil
}

// FirstIndex returns the first index, 0 if there are no entries.
func (j journal) FirstIndex() (uint64, error) { first, _, err := j.ledger.Bounds(); return first, err }

// LastIndex returns the last index, 0 if there are no entries.
func (j journal) LastIndex() (uint64, error) { _, last, err := j.ledger.Bounds(); return last, err }

// IsMonotonic tells that the log has no gaps.
func (j journal) IsMonotonic() bool { return true }

// GetLog reads an entry.
func (j journal) GetLog(index uint64, l *raft.Log) error {
	b, err := j.ledger.Entry(index)
	if err != nil {
		return fmt.Errorf("read metadata log: %w", err)
	}
	if b == nil {
		return raft.ErrLogNotFound
	}
	return decodeEntry(index, b, l)
}

// StoreLog stores an entry.
func (j journal) StoreLog(l *raft.Log) error { return j.StoreLogs([]*raft.Log{l}) }

// StoreLogs stores entries.
func (j journal) StoreLogs(logs []*raft.Log) error {
	entries := make([]kv.LedgerEntry, len(logs))
	for i, l := range logs {
		entries[i] = kv.LedgerEntry{Index: l.Index, Data: encodeEntry(l)}
	}
	return j.ledger.Append(context.Background(), entries...)
}

// DeleteRange removes entries, both ends included.
func (j journal) DeleteRange(from, through uint64) error {
	return j.ledger.Delete(context.Background(), from, through)
}

// keyTerm is how Raft names its term.
const keyTerm = "CurrentTerm"

// Set stores a value. That the term could not be stored is not told to Raft, which would panic: the store takes no write at all
// then, so nothing is promised, voted or acknowledged in that term, and the node is about to end.
func (j journal) Set(key, value []byte) error {
	err := j.ledger.SetValue(context.Background(), string(key), value)
	if string(key) == keyTerm && (errors.Is(err, kv.ErrFailed) || errors.Is(err, kv.ErrClosed)) {
		return nil
	}
	return err
}

// Get returns a value, nil if there is none.
func (j journal) Get(key []byte) ([]byte, error) { return j.ledger.Value(string(key)) }

// SetUint64 stores a number.
func (j journal) SetUint64(key []byte, value uint64) error {
	return j.Set(key, binary.BigEndian.AppendUint64(nil, value))
}

// GetUint64 returns a number, 0 if there is none.
func (j journal) GetUint64(key []byte) (uint64, error) {
	b, err := j.Get(key)
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fault.New(fault.Corrupt, "metadata value %s: %d bytes", key, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// Create begins a snapshot.
func (j journal) Create(version raft.SnapshotVersion, index, term uint64, members raft.Configuration, membersIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != 1 {
		return nil, fault.New(fault.Unsupported, "metadata snapshot of version %d", version)
	}
	return &sink{j: j, meta: raft.SnapshotMeta{
		// The order of names is that of snapshots.
		Version: version, ID: fmt.Sprintf("%020d-%020d-%d", term, index, time.Now().UnixMilli()), Index: index, Term: term,
		Configuration: members, ConfigurationIndex: membersIndex,
	}}, nil
}

// List returns the snapshots, the newest first.
func (j journal) List() ([]*raft.SnapshotMeta, error) {
	blobs, err := j.ledger.Blobs()
	if err != nil {
		return nil, fmt.Errorf("list metadata snapshots: %w", err)
	}
	var all []*raft.SnapshotMeta
	for _, b := range slices.Backward(blobs) {
		var meta raft.SnapshotMeta
		if err := json.Unmarshal(b.Meta, &meta); err != nil {
			return nil, fault.Wrap(fault.Corrupt, err, "metadata snapshot %s", b.Name)
		}
		all = append(all, &meta)
	}
	return all, nil
}

// Open reads a snapshot.
func (j journal) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	all, err := j.List()
	if err != nil {
		return nil, nil, err
	}
	for _, meta := range all {
		if meta.ID != id {
			continue
		}
		data, err := j.ledger.Blob(id)
		if err != nil {
			return nil, nil, fmt.Errorf("read metadata snapshot %s: %w", id, err)
		}
		return meta, io.NopCloser(bytes.NewReader(data)), nil
	}
	return nil, nil, fault.New(fault.NotFound, "there is no metadata snapshot %s", id)
}

// sink takes a snapshot. It is stored as a whole when it is closed.
type sink struct {
	j    journal
	meta raft.SnapshotMeta
	data bytes.Buffer
}

// ID returns the snapshot's name.
func (s *sink) ID() string { return s.meta.ID }

// Write takes more of it.
func (s *sink) Write(p []byte) (int, error) {
	if s.data.Len()+len(p) > maxSnapshot {
		return 0, fault.New(fault.Exhausted, "metadata snapshot of more than %d bytes", maxSnapshot)
	}
	return s.data.Write(p)
}

// Cancel forgets it.
func (s *sink) Cancel() error { return nil }

// Close stores it, and removes older ones than are kept.
func (s *sink) Close() error {
	s.meta.Size = int64(s.data.Len())
	meta, err := json.Marshal(s.meta)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := s.j.ledger.PutBlob(ctx, s.meta.ID, meta, s.data.Bytes()); err != nil {
		return fmt.Errorf("store metadata snapshot: %w", err)
	}
	all, err := s.j.List()
	for _, old := range all[min(keptSnapshots, len(all)):] {
		if err == nil {
			err = s.j.ledger.DeleteBlob(ctx, old.ID)
		}
	}
	return err
}
