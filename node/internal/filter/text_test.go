package filter_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

func textAt(key string, mode filter.TextMode, query string) *filter.Filter {
	return &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: key, Match: &filter.Match{Text: &filter.Text{Query: query, Mode: mode}}}}}}
}

func TestTextTakesTheTokenizerOfItsPath(t *testing.T) {
	word, prefix := token.Default(), token.Tokenizer{Kind: token.Prefix}
	lookup := func(path string) *token.Tokenizer {
		return map[string]*token.Tokenizer{"a": &word, `list[].b."x y"`: &prefix}[path]
	}
	f := textAt("a", filter.TextAll, "b c")
	f.MustNot = []filter.Condition{{Nested: &filter.Nested{Key: "list", Filter: filter.Filter{
		Should: []filter.Condition{{Filter: textAt(`b."x y"`, filter.TextAny, "q")}}, MinShould: &filter.MinShould{Conditions: textAt("c", filter.TextAny, "r").Must},
	}}}}
	before := f.String()
	got := f.Tokenized(lookup)
	want := `a has all word tokens of "b c" and not(nested(list: any((b."x y" has any prefix tokens of "q")) and at_least(0, c has any text of "r")))`
	if got.String() != want || f.String() != before {
		t.Errorf("got %s\nwant %s\nf is %s", got, want, f)
	}
	if plain := compileless(); plain.Tokenized(lookup) != plain {
		t.Error("a filter without text was copied")
	}
	if (*filter.Filter)(nil).Tokenized(lookup) != nil {
		t.Error("nil became something")
	}
	again := got.Tokenized(func(string) *token.Tokenizer { return &prefix })
	if !strings.Contains(again.String(), "all word tokens") {
		t.Errorf("a tokenizer was replaced: %s", again)
	}
	if _, err := filter.CompileEncoded(filter.Encode(got)); err != nil {
		t.Error(err)
	}
}

func compileless() *filter.Filter {
	name := "v"
	return &filter.Filter{Must: []filter.Condition{{HasVector: &name}}}
}

func TestTextIsBounded(t *testing.T) {
	word := token.Default()
	for name, text := range map[string]filter.Text{
		"bytes":     {Query: strings.Repeat("x", filter.MaxTextBytes+1), Mode: filter.TextAll},
		"words":     {Query: strings.Repeat("x ", filter.MaxTextWords+1), Mode: filter.TextAll, Tokenizer: &word},
		"mode":      {Query: "x", Mode: "some"},
		"UTF-8":     {Query: "\xff", Mode: filter.TextAll, Tokenizer: &word},
		"tokenizer": {Query: "x", Mode: filter.TextAll, Tokenizer: &token.Tokenizer{Kind: "letters"}},
		"lengths":   {Query: "x", Mode: filter.TextAll, Tokenizer: &token.Tokenizer{Kind: token.Word, MinLen: 3, MaxLen: 2}},
	} {
		f := &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "a", Match: &filter.Match{Text: &text}}}}}
		if _, err := filter.Compile(f); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := filter.Compile(textAt("a", filter.TextAll, strings.Repeat("x ", filter.MaxTextBytes/2))); err != nil {
		t.Errorf("at the limit: %v", err)
	}
}

// Scripts without spaces are found by any piece of a text, and by phrases that go over into others.
func TestTextsWithoutSpacesAreFoundByTheirPieces(t *testing.T) {
	many := token.Tokenizer{Kind: token.Multilingual, Lowercase: true}
	at := &target{payload: map[string]any{"a": "私は日本語でGoを書く。 한국어도, ภาษาไทย"}}
	for _, c := range []struct {
		mode  filter.TextMode
		query string
		want  bool
	}{
		{filter.TextAll, "日本", true}, {filter.TextAll, "語", true}, {filter.TextAll, "書く 日本語", true}, {filter.TextAll, "本日", false},
		{filter.TextAll, "日本人", false}, {filter.TextAny, "日本人", true}, {filter.TextAny, "中国人", false}, {filter.TextAny, "本人 xx", false},
		{filter.TextPhrase, "日本語でgo", true}, {filter.TextPhrase, "日本語 で", true}, {filter.TextPhrase, "日本 で", false}, {filter.TextPhrase, "でGoを書", true}, {filter.TextPhrase, "日本go", false},
		{filter.TextAll, "한국", true}, {filter.TextPhrase, "ไทย", true}, {filter.TextAll, "。", false}, {filter.TextPhrase, "", false},
	} {
		f := textAt("a", c.mode, c.query)
		f.Must[0].Field.Match.Text.Tokenizer = &many
		m, err := filter.Compile(f)
		if err != nil || m.Match(at) != c.want {
			t.Errorf("%s %q: %v, %v", c.mode, c.query, !c.want, err)
		}
	}
}

// Words are found as the naive evaluator finds them, by all that a tokenizer can be told.
func TestWordsAgreeWithTheNaiveEvaluator(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		tokenizer := drawTokenizer(t)
		for _, mode := range []filter.TextMode{filter.TextAll, filter.TextAny, filter.TextPhrase} {
			for _, query := range textQueries {
				text := &filter.Text{Query: query, Mode: mode, Tokenizer: tokenizer}
				m, err := filter.Compile(&filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: "a", Match: &filter.Match{Text: text}}}}})
				if err != nil {
					t.Fatal(err)
				}
				for _, value := range []string{"x", "y x y", "xy z", "Ÿ xyz", "The foxes", "fox's x", "over y", "x the y", "foxes over the fox", "theory"} {
					want := naiveWords(text, []any{value})
					if want {
						matched++
					}
					if m.Match(&target{payload: point.Payload{"a": value}}) != want {
						t.Fatalf("%q, %s, %+v in %q: want %v", query, mode, *tokenizer, value, want)
					}
				}
			}
		}
	})
	if matched == 0 {
		t.Error("nothing ever matched: the test says nothing")
	}
}
