package point

import (
	"cmp"
	"strconv"
)

// ShardKey names a group of shards of a collection with custom sharding: a word, or, if that is empty, a number.
type ShardKey struct {
	Keyword string `json:"keyword,omitempty"`
	Number  uint64 `json:"number,omitempty"`
}

// String returns the word in quotes, or the number.
func (k ShardKey) String() string {
	if k.Keyword != "" {
		return strconv.Quote(k.Keyword)
	}
	return strconv.FormatUint(k.Number, 10)
}

// Compare orders keys: numbers, then words.
func (k ShardKey) Compare(o ShardKey) int {
	return cmp.Or(cmp.Compare(k.Keyword, o.Keyword), cmp.Compare(k.Number, o.Number))
}

// Same reports whether two keys, each of which may be none, are the same.
func (k *ShardKey) Same(o *ShardKey) bool {
	return k == o || k != nil && o != nil && *k == *o
}
