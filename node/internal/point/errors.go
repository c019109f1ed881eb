package point

import (
	"errors"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// ErrVersion is in the chain of a decoder's error (of class fault.Unsupported) when a newer program wrote the bytes
// in a form that this one does not know. The bytes are not damaged.
var ErrVersion = errors.New("written by a newer version")

// ErrLimit is in the chain of an error (of class fault.Invalid) that says that a payload or operation exceeds a limit
// of this package.
var ErrLimit = errors.New("limit exceeded")

// damaged makes the error of bytes that no encoder wrote.
func damaged(what, why string) error { return fault.New(fault.Corrupt, "decode %s: %s", what, why) }

func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

func exceeds(format string, args ...any) error {
	return fault.Wrap(fault.Invalid, ErrLimit, format, args...)
}
