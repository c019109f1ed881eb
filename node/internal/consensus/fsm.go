package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// view is one moment of the metadata: immutable, replaced as a whole.
type view struct {
	state   *catalog.State
	index   uint64        // of the last applied command
	failure error         // why nothing more is applied, if so
	changed chan struct{} // closed when there is a newer view
}

// fsm applies committed entries. raft.Raft calls Apply, Snapshot and Restore from one goroutine, one at a time; that
// goroutine is the only writer of current. Readers load it at any time.
type fsm struct {
	logger    hclog.Logger
	current   atomic.Pointer[view]
	committed func(index, term uint64) // called with each entry that is applied; nil: nobody asks
}

func newFSM(logger hclog.Logger) *fsm {
	f := &fsm{logger: logger}
	f.current.Store(&view{state: catalog.Empty(), changed: make(chan struct{})})
	return f
}

// publish makes next visible, then wakes whoever waits for it.
func (f *fsm) publish(next view) {
	next.changed = make(chan struct{})
	old := f.current.Swap(&next)
	close(old.changed)
}

// applied is what Apply answers to the proposer.
type applied struct {
	results []catalog.Result
	err     error
}

// Apply folds one entry into the state. An entry that cannot be read (a newer version's, or a damaged one) stops the
// state machine for good: to skip it would leave this node with another state than its peers. Nothing is applied or
// compacted from then on, so that a newer version can start from the log.
func (f *fsm) Apply(entry *raft.Log) any {
	now := f.current.Load()
	if now.failure != nil {
		return applied{err: now.failure}
	}
	cmds, err := catalog.DecodeCommands(entry.Data)
	if err != nil {
		err = fault.Wrap(fault.ClassOf(err), err, "apply metadata entry %d", entry.Index)
		f.logger.Error("metadata stopped: this node cannot read a committed entry", "index", entry.Index, "error", err)
		f.publish(view{state: now.state, index: now.index, failure: err})
		return applied{err: err}
	}
	next, results := catalog.ApplyAll(now.state, cmds)
	f.publish(view{state: next, index: entry.Index})
	if f.committed != nil {
		f.committed(entry.Index, entry.Term)
	}
	return applied{results: results}
}

// A snapshot of the metadata:
//
//	offset  size
//	0       3     magic "OCM"
//	3       1     version, 1
//	4       8     index of the last command in it, big endian
//	12      ...   catalog.EncodeState (carries its own version and checksum)
//
// The index is in it because Raft does not tell it to a state machine that restores, and because whoever waits for an
// index must not wait for ever when a snapshot brings it.
const (
	snapshotMagic   = "OCM"
	snapshotVersion = 1
	snapshotHeader  = 12
	maxSnapshot     = 1 << 30
)

// Snapshot returns what Persist will write; the state is immutable, so nothing is copied.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	now := f.current.Load()
	if now.failure != nil {
		return nil, fmt.Errorf("snapshot metadata: %w", now.failure)
	}
	return now, nil
}

// Persist writes the view to a snapshot.
func (v *view) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(encodeSnapshot(v)); err != nil {
		return fmt.Errorf("write metadata snapshot: %w", errors.Join(err, sink.Cancel()))
	}
	return sink.Close()
}

// Release has nothing to release.
func (v *view) Release() {}

func encodeSnapshot(v *view) []byte {
	b := append([]byte(snapshotMagic), snapshotVersion)
	b = binary.BigEndian.AppendUint64(b, v.index)
	return append(b, catalog.EncodeState(v.state)...)
}

func decodeSnapshot(b []byte) (view, error) {
	if len(b) < snapshotHeader || string(b[:3]) != snapshotMagic || b[3] == 0 {
		return view{}, fault.New(fault.Corrupt, "decode metadata snapshot: no header")
	}
	if b[3] > snapshotVersion {
		return view{}, fault.Wrap(fault.Unsupported, catalog.ErrNewerFormat, "decode metadata snapshot of format %d", b[3])
	}
	state, err := catalog.DecodeState(b[snapshotHeader:])
	if err != nil {
		return view{}, err
	}
	return view{state: state, index: binary.BigEndian.Uint64(b[4:])}, nil
}

// Restore replaces the state by a snapshot's.
func (f *fsm) Restore(r io.ReadCloser) error {
	defer func() { _ = r.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(r, maxSnapshot))
	if err != nil {
		return fmt.Errorf("read metadata snapshot: %w", err)
	}
	next, err := decodeSnapshot(b)
	if err != nil {
		return err
	}
	f.publish(next)
	return nil
}

// wait returns when the command at index is applied here.
func (f *fsm) wait(ctx context.Context, index uint64) error {
	for {
		now := f.current.Load()
		switch {
		case now.index >= index:
			return nil
		case now.failure != nil:
			return now.failure
		}
		select {
		case <-now.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
