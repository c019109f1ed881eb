package consensus

import (
	"io"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// RawApply commits bytes that are no commands of this version, as a newer leader would.
func (n *Node) RawApply(entry []byte) error { return n.raft.Apply(entry, enqueueTimeout).Error() }

// FirstLogIndex tells how far the log is compacted.
func (n *Node) FirstLogIndex() (uint64, error) { return n.log.FirstIndex() }

// EncodeSnapshot and DecodeSnapshot are the format of snapshots.
func EncodeSnapshot(s *catalog.State, index uint64) []byte {
	return encodeSnapshot(&view{state: s, index: index})
}

func DecodeSnapshot(b []byte) (*catalog.State, uint64, error) {
	v, err := decodeSnapshot(b)
	return v.state, v.index, err
}

// RestoreThenApply feeds the state machine directly.
func RestoreThenApply(snapshot io.ReadCloser, entry []byte) (*catalog.State, error) {
	f := newFSM(hclog.NewNullLogger())
	if err := f.Restore(snapshot); err != nil {
		return nil, err
	}
	f.Apply(&raft.Log{Index: 1 << 40, Data: entry})
	now := f.current.Load()
	return now.state, now.failure
}

// EncodeEntry and DecodeEntry are the format of the log's entries.
var (
	EncodeEntry = encodeEntry
	DecodeEntry = decodeEntry
)
