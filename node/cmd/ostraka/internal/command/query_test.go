package command_test

import (
	"strings"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

func TestQueryByID(t *testing.T) {
	s := serverOf(t, "words")
	sh := shell(t, s)
	sh.expect(sh.run("query", "--collection", "words", "--id", "42"), 0)
	sh.golden("query.txt")
	limit := uint64(5)
	want := &qdrant.QueryPoints{CollectionName: "words", Query: qdrant.NewQueryID(qdrant.NewIDNum(42)), Limit: &limit,
		WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(false)}
	if !proto.Equal(s.mu.queries[0], want) {
		t.Errorf("got %v", s.mu.queries[0])
	}
	sh.expect(sh.run("query", "--collection", "words", "--id", "6BA7B8109DAD11D180B400C04FD430C8", "-o", "json"), 0)
	sh.golden("query.json")
}

func TestLongPayloadsAreCutOnATerminalOnly(t *testing.T) {
	sh := shell(t, serverOf(t, "words"))
	sh.width = 70
	sh.expect(sh.run("query", "--collection", "words", "--id", "42"), 0)
	sh.golden("query-terminal.txt")
}

func TestQueryByPayload(t *testing.T) {
	s := serverOf(t, "words")
	sh := shell(t, s)
	sh.expect(sh.run("query", "--collection", "words", "--where", "word=king", "--where", "n=1,5", "--where", "b=true", "--where", "i=-3", "--where", "f=1.5"), 0)
	sh.golden("query-where.txt")
	if got := s.mu.queries[0].GetQuery().GetNearest().GetId().GetNum(); got != 7 {
		t.Errorf("searched near %d, want 7", got)
	}
	half := 1.5
	either := func(c ...*qdrant.Condition) *qdrant.Condition {
		return qdrant.NewFilterAsCondition(&qdrant.Filter{Should: c})
	}
	want := &qdrant.Filter{Must: []*qdrant.Condition{
		either(qdrant.NewMatchKeyword("word", "king")), either(qdrant.NewMatchKeyword("n", "1,5")),
		either(qdrant.NewMatchKeyword("b", "true"), qdrant.NewMatchBool("b", true)),
		either(qdrant.NewMatchKeyword("i", "-3"), qdrant.NewMatchInt("i", -3)),
		either(qdrant.NewMatchKeyword("f", "1.5"), qdrant.NewRange("f", &qdrant.Range{Gte: &half, Lte: &half})),
	}}
	if !proto.Equal(s.mu.filters[0], want) {
		t.Errorf("got %v", s.mu.filters[0])
	}
	sh.expect(sh.run("query", "--collection", "words", "--where", "word=queen", "--where", "x=y"), 1, "no point of words has word=queen and x=y")
}

func TestQueryByVector(t *testing.T) {
	for name, text := range map[string]string{
		"array": "[0.5, -1]", "numbers": "0.5, -1\n", "lines": "0.5\r\n-1", "point": `{"id": 1, "vector": [0.5, -1], "word": "x"}`,
	} {
		s := serverOf(t, "words")
		sh := shell(t, s)
		sh.in = text
		sh.expect(sh.run("query", "--collection", "words", "--vector", "-", "--limit", "3"), 0)
		q := s.mu.queries[0]
		if got := q.GetQuery().GetNearest().GetDense().GetData(); len(got) != 2 || got[0] != 0.5 || got[1] != -1 || q.GetLimit() != 3 {
			t.Errorf("%s: got %v", name, q)
		}
		sh.expect(sh.run("query", "--collection", "words", "--vector", write(t, "v", text)), 0)
	}
	for _, text := range []string{"", "[]", "king", "[1, x]", `{"id": 1}`, "{", "[1e39]", "[[1]]", "NaN"} {
		sh := shell(t, serverOf(t, "words"))
		sh.in = text
		sh.expect(sh.run("query", "--collection", "words", "--vector", "-"), 2, "--vector -: ")
	}
}

func TestQueryChoosesTheVector(t *testing.T) {
	for _, c := range []struct {
		vectors map[string]int
		using   string
		sent    string
		says    string
	}{
		{map[string]int{"": 2, "image": 3}, "", "", ""},
		{map[string]int{"image": 3}, "", "image", ""},
		{map[string]int{"image": 3, "text": 2}, "text", "text", ""},
		{map[string]int{"image": 3, "text": 2}, "", "", `several vectors: choose one with --using: "image", "text"`},
		{map[string]int{"image": 3}, "sound", "", `--using "sound": words has "image"`},
	} {
		s := serverOf(t, "words")
		s.vectors = c.vectors
		sh := shell(t, s)
		args := []string{"query", "--collection", "words", "--id", "1"}
		if c.using != "" {
			args = append(args, "--using", c.using)
		}
		if c.says != "" {
			sh.expect(sh.run(args...), 2, c.says)
			continue
		}
		sh.expect(sh.run(args...), 0)
		if got := s.mu.queries[0].GetUsing(); got != c.sent {
			t.Errorf("%v: using %q, want %q", c.vectors, got, c.sent)
		}
	}
}

func TestQueryNeedsItsCollection(t *testing.T) {
	sh := shell(t, serverOf(t, "words"))
	sh.expect(sh.run("query", "--collection", "wards", "--id", "1"), 1, `there is no collection "wards": there are words`)
	if strings.Contains(sh.err.String(), "NOT_FOUND") {
		t.Errorf("a person reads this: %s", sh.err.String())
	}
}
