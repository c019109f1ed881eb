package quant

import (
	"encoding/binary"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Describe returns which vectors a marshalled codec is of. It does not look at the rest.
func Describe(b []byte) (d vec.Distance, size int, err error) {
	if len(b) < sealHeader || string(b[:4]) != sealMagic {
		return 0, 0, fault.New(fault.Corrupt, "codec: no header")
	}
	return vec.Distance(b[6]), int(binary.LittleEndian.Uint32(b[8:])), nil
}
