package peer

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// The preface opens a Raft stream; after it the connection is Raft's own. A gRPC connection starts with HTTP/2's
// 'P' instead.
//
//	'R' | version 0x01 | length of cluster id (1) | cluster id | target peer id (8, big endian; 0 = not known)
//
// The target stands there because Raft checks the sender only: without it, a wiped node that came back at the address of
// its former self would acknowledge entries in the name of the voter whose log is lost.
const (
	raftByte       = 'R'
	grpcByte       = 'P'
	prefaceVersion = 1
	maxClusterID   = 255
)

type preface struct {
	cluster string
	target  catalog.PeerID
}

func encodePreface(p preface) []byte {
	dst := append([]byte{}, raftByte, prefaceVersion, byte(len(p.cluster)))
	dst = append(dst, p.cluster...)
	return binary.BigEndian.AppendUint64(dst, uint64(p.target))
}

// readPreface reads what follows the first byte.
func readPreface(r io.Reader) (preface, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return preface{}, fmt.Errorf("read preface: %w", err)
	}
	if head[0] != prefaceVersion {
		return preface{}, fmt.Errorf("read preface: version %d, this node speaks %d", head[0], prefaceVersion)
	}
	rest := make([]byte, int(head[1])+8)
	if _, err := io.ReadFull(r, rest); err != nil {
		return preface{}, fmt.Errorf("read preface: %w", err)
	}
	n := int(head[1])
	return preface{cluster: string(rest[:n]), target: catalog.PeerID(binary.BigEndian.Uint64(rest[n:]))}, nil
}
