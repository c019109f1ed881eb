package payload

import (
	"strings"

	"github.com/google/uuid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

// keywords is the index of strings, as they are. For UUID, one in canonical form is kept in its 16 bytes.
type keywords struct {
	dictionary
	uuid  bool
	other bitmap // labels with a value that is neither a string nor null
}

func newKeywords(uuid bool) *keywords { return &keywords{dictionary: newDictionary(), uuid: uuid} }

// What the texts of a UUID index begin with.
const (
	asBytes = "\x00"
	asText  = "\x01"
)

// encode returns the form in which a string is kept: equal forms mean equal strings.
func (k *keywords) encode(s string) string {
	if !k.uuid {
		return s
	}
	if len(s) == 36 {
		if u, err := uuid.Parse(s); err == nil && u.String() == s {
			return asBytes + string(u[:])
		}
	}
	return asText + s
}

// decode is the reverse of encode.
func (k *keywords) decode(s string) string {
	if !k.uuid {
		return s
	}
	if form := s[:1]; form == asText {
		return s[1:]
	}
	var u uuid.UUID
	copy(u[:], s[1:])
	return u.String()
}

func (k *keywords) encodeAll(list []string) []string {
	if !k.uuid {
		return list
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = k.encode(s)
	}
	return out
}

func (k *keywords) put(label uint32, e *entry) {
	k.dictionary.put(label, e.texts)
	if e.other {
		k.other.set(label, true)
	}
}

func (k *keywords) remove(label uint32) {
	k.dictionary.remove(label)
	k.other.set(label, false)
}

func (k *keywords) count() uint64 { return k.has.count() }

func (k *keywords) match(c *filter.Field) (answer, bool) {
	if c.DatetimeRange != nil || c.Match != nil && c.Match.Text != nil {
		return upTo(k.has.shared()), true
	}
	m := c.Match
	if m == nil {
		return upTo(k.other.shared()), true
	}
	switch {
	case m.Keyword != nil:
		return exactly(k.with(k.encode(*m.Keyword))), true
	case len(m.AnyKeyword) > 0:
		return exactly(k.withAny(k.encodeAll(m.AnyKeyword))), true
	case m.Prefix != nil:
		begin := *m.Prefix
		return exactly(k.where(func(s string) bool { return strings.HasPrefix(k.decode(s), begin) })), true
	case len(m.ExceptKeyword) > 0:
		return exactly(or(k.withOther(k.encodeAll(m.ExceptKeyword)), k.other.shared())), true
	case len(m.ExceptInteger) > 0: // every string is none of them
		return answer{lo: k.has.shared(), hi: or(k.has.shared(), k.other.shared())}, true
	case m.EmptySet != nil && *m.EmptySet == "except":
		return exactly(or(k.has.shared(), k.other.shared())), true
	case m.EmptySet != nil:
		return exactly(none()), true
	}
	return upTo(k.other.shared()), true // integers and booleans
}
