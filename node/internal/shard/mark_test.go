package shard_test

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// A mark tells any two schemas apart, and is the same for the same.
func TestMarksTellSchemasApart(t *testing.T) {
	with := func(change func(*shard.Schema)) shard.Schema {
		s := shard.Schema{
			Vectors: map[string]shard.VectorSchema{"a": {Size: 2, Distance: vec.Cosine, Index: dense.Config{M: 4}}, "b": {Kind: shard.Sparse}},
			Fields:  payload.Schema{"t": {Kind: payload.Text, Tokenizer: &token.Tokenizer{Kind: token.Word}}},
		}
		change(&s)
		return s
	}
	index := func(change func(*dense.Config)) func(*shard.Schema) {
		return func(s *shard.Schema) {
			v := s.Vectors["a"]
			change(&v.Index)
			s.Vectors["a"] = v
		}
	}
	seen := map[uint64]string{}
	for name, change := range map[string]func(*shard.Schema){
		"as it is": func(*shard.Schema) {}, "no vectors": func(s *shard.Schema) { s.Vectors = nil }, "no fields": func(s *shard.Schema) { s.Fields = nil },
		"one less": func(s *shard.Schema) { delete(s.Vectors, "b") }, "one more": func(s *shard.Schema) { s.Vectors["c"] = s.Vectors["a"] },
		"m": index(func(c *dense.Config) { c.M++ }), "codes": index(func(c *dense.Config) { c.Codes.Kind = dense.Binary }),
		"threshold": index(func(c *dense.Config) { c.IndexingBytes++ }), "on disk": index(func(c *dense.Config) { c.OnDisk = true }),
		"tokenizer": func(s *shard.Schema) {
			s.Fields["t"] = payload.Field{Kind: payload.Text, Tokenizer: &token.Tokenizer{Kind: token.Prefix}}
		},
		"stemmer": func(s *shard.Schema) {
			s.Fields["t"] = payload.Field{Kind: payload.Text, Tokenizer: &token.Tokenizer{Kind: token.Word, Stemmer: "english"}}
		},
		"a phrase": func(s *shard.Schema) {
			s.Fields["t"] = payload.Field{Kind: payload.Text, Tokenizer: &token.Tokenizer{Kind: token.Word, Stopwords: []string{"a b"}}}
		},
		"its words": func(s *shard.Schema) {
			s.Fields["t"] = payload.Field{Kind: payload.Text, Tokenizer: &token.Tokenizer{Kind: token.Word, Stopwords: []string{"a", "b"}}}
		},
		"stop words": func(s *shard.Schema) {
			s.Fields["t"] = payload.Field{Kind: payload.Text, Tokenizer: &token.Tokenizer{Kind: token.Word, StopLanguages: []string{"english"}}}
		},
	} {
		mark := with(change).Mark()
		if other, is := seen[mark]; is || mark == 0 || mark != with(change).Mark() {
			t.Errorf("%s has the mark %d, as has %q", name, mark, other)
		}
		seen[mark] = name
	}
}

// A shard tells the mark of the schema that it follows, at its start and from each change on.
func TestAShardTellsWhatItFollows(t *testing.T) {
	n := newNode(t)
	s := n.open2(t, indexed)
	defer closeShard(t, s)
	apply(t, s, upsert(somePoints(0, 100)...))
	for m := 4; m < 8; m++ {
		was := s.Indexes().Schema
		changed := indexed.Vectors["v"]
		changed.Index.M = m
		next := shard.Schema{Vectors: map[string]shard.VectorSchema{"v": changed}}
		s.SetSchema(next)
		if x := s.Indexes(); x.Schema != next.Mark() || x.Schema == was {
			t.Errorf("m %d: it follows %d, was %d, declared is %d", m, x.Schema, was, next.Mark())
		}
	}
}
