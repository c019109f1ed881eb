package catalog

import (
	"strings"
	"unicode/utf8"
)

// MaxNameBytes bounds the names of collections, aliases, vectors, peers and zones.
const MaxNameBytes = 255

// CheckName checks a collection's or an alias's name: 1..255 bytes of UTF-8 without the characters that Qdrant
// forbids. The error is of class fault.Invalid.
func CheckName(name string) error {
	if name == "" {
		return invalid("a collection name cannot be empty")
	}
	if err := checkText("collection name", name); err != nil {
		return err
	}
	if i := strings.IndexAny(name, "<>:\"/\\|?*\x00\x1f"); i >= 0 {
		return invalid("collection name %.64q cannot contain %q", name, name[i])
	}
	return nil
}

// checkText checks what every short text must hold: it is encoded as JSON, which would silently replace bytes that
// are not UTF-8.
func checkText(what, s string) error {
	if len(s) > MaxNameBytes {
		return invalid("%s is %d bytes long, at most %d are allowed", what, len(s), MaxNameBytes)
	}
	if !utf8.ValidString(s) {
		return invalid("%s %.64q is not valid UTF-8", what, s)
	}
	return nil
}
