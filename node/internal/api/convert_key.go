package api

import (
	"unicode/utf8"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// keyed is a request, or a part of one, that may name shard keys.
type keyed interface {
	GetShardKeySelector() *qdrant.ShardKeySelector
}

func shardKeyFrom(k *qdrant.ShardKey) (point.ShardKey, error) {
	switch v := k.GetKey().(type) {
	case *qdrant.ShardKey_Number:
		return point.ShardKey{Number: v.Number}, nil
	case *qdrant.ShardKey_Keyword:
		switch {
		case v.Keyword == "":
			return point.ShardKey{}, invalid("shard key: a word cannot be empty")
		case len(v.Keyword) > catalog.MaxNameBytes:
			return point.ShardKey{}, invalid("shard key: it is %d bytes long, at most %d are allowed", len(v.Keyword), catalog.MaxNameBytes)
		case !utf8.ValidString(v.Keyword):
			return point.ShardKey{}, invalid("shard key: %.64q is not valid UTF-8", v.Keyword)
		}
		return point.ShardKey{Keyword: v.Keyword}, nil
	}
	return point.ShardKey{}, invalid("shard key: neither a word nor a number is given")
}

// shardKeyTo returns nil for no key.
func shardKeyTo(k *point.ShardKey) *qdrant.ShardKey {
	switch {
	case k == nil:
		return nil
	case k.Keyword != "":
		return qdrant.NewShardKeyKeyword(k.Keyword)
	}
	return qdrant.NewShardKeyNum(k.Number)
}

// keysFrom reads which shard keys a request is for; nil if it does not say.
func keysFrom(s *qdrant.ShardKeySelector) (*coordinator.Keys, error) {
	if s == nil {
		return nil, nil
	}
	switch n := len(s.GetShardKeys()); {
	case n == 0:
		return nil, invalid("shard_key_selector: it is given, but names no key")
	case n > catalog.MaxShards:
		return nil, invalid("shard_key_selector: it names %d keys, at most %d are allowed", n, catalog.MaxShards)
	}
	keys := &coordinator.Keys{Keys: make([]point.ShardKey, len(s.GetShardKeys()))}
	for i, k := range s.GetShardKeys() {
		var err error
		if keys.Keys[i], err = shardKeyFrom(k); err != nil {
			return nil, err
		}
	}
	if s.GetFallback() != nil {
		fallback, err := shardKeyFrom(s.GetFallback())
		if err != nil {
			return nil, err
		}
		keys.Fallback = &fallback
	}
	return keys, nil
}

// keysOf reads which shard keys one operation of a batch is for.
func keysOf(u *qdrant.PointsUpdateOperation) (*coordinator.Keys, error) {
	m := u.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("operation"))
	if field == nil {
		return nil, nil
	}
	if k, ok := m.Get(field).Message().Interface().(keyed); ok {
		return keysFrom(k.GetShardKeySelector())
	}
	return nil, nil
}
