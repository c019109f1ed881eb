package catalog

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Commands (the entries of Raft's log) and states (Raft's snapshots) are framed alike:
//
//	offset  size
//	0       3     magic "OCC" (commands) or "OCS" (state)
//	3       1     version, 1
//	4       4     CRC-32C of the body, big endian
//	8       ...   body: JSON, a list of Command or one State
//
// JSON, because metadata is small and rare, and because a person may have to read it. Fields that a reader does not know
// are an error, never skipped: a node that ignored half a command would hold another state than its peers.
const (
	commandsMagic = "OCC"
	stateMagic    = "OCS"
	frameVersion  = 1
	frameHeader   = 8
)

// EncodeCommands returns the bytes of well-formed commands (Command.Check). It panics on others: what cannot be
// represented must not have come so far.
func EncodeCommands(cmds []Command) []byte { return encode(commandsMagic, cmds) }

// DecodeCommands reads what EncodeCommands wrote. Errors are of class fault.Corrupt, or wrap ErrNewerFormat.
func DecodeCommands(b []byte) ([]Command, error) {
	var cmds []Command
	if err := decode("metadata commands", commandsMagic, b, &cmds); err != nil {
		return nil, err
	}
	for _, cmd := range cmds {
		if err := cmd.shape(); err != nil {
			return nil, fault.Wrap(fault.Corrupt, err, "decode metadata commands")
		}
	}
	return cmds, nil
}

// EncodeState returns the bytes of a state; equal states give equal bytes.
func EncodeState(s *State) []byte { return encode(stateMagic, s) }

// DecodeState reads what EncodeState wrote, and checks that the state holds together. Errors are of class
// fault.Corrupt, or wrap ErrNewerFormat.
func DecodeState(b []byte) (*State, error) {
	s := Empty()
	if err := decode("metadata state", stateMagic, b, s); err != nil {
		return nil, err
	}
	if s.Format > Format {
		return nil, newer("metadata state", s.Format)
	}
	if err := s.Check(); err != nil {
		return nil, fault.Wrap(fault.Corrupt, err, "decode metadata state")
	}
	return s, nil
}

func encode(magic string, v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode metadata: %v", err))
	}
	b := make([]byte, frameHeader, frameHeader+len(body))
	copy(b, magic)
	b[3] = frameVersion
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return append(b, body...)
}

func decode(what, magic string, b []byte, into any) error {
	if len(b) < frameHeader || string(b[:3]) != magic {
		return fault.New(fault.Corrupt, "decode %s: no header", what)
	}
	if b[3] > frameVersion {
		return newer(what, uint32(b[3]))
	}
	body := b[frameHeader:]
	if b[3] != frameVersion || crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b[4:]) {
		return fault.New(fault.Corrupt, "decode %s: the checksum does not match", what)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fault.Wrap(fault.Corrupt, err, "decode %s", what)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Corrupt, "decode %s: bytes follow the value", what)
	}
	return nil
}

func newer(what string, version uint32) error {
	return fault.Wrap(fault.Unsupported, ErrNewerFormat, "decode %s of format %d", what, version)
}
