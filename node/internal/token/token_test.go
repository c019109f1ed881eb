package token_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

func tokens(t token.Tokenizer, text string) (out []string) {
	c := t.Cutter()
	c.Words(text, func(word string) bool {
		return c.Tokens(word, func(tok string) bool { out = append(out, tok); return true })
	})
	return out
}

func TestTextIsCutAsDeclared(t *testing.T) {
	for _, c := range []struct {
		t     token.Tokenizer
		text  string
		want  []string
		query []string
	}{
		{token.Default(), "Hello, wörld! x-1_2", []string{"hello", "wörld", "x", "1", "2"}, nil},
		{token.Tokenizer{Kind: token.Word}, " A\tB ", []string{"A", "B"}, nil},
		{token.Tokenizer{Kind: token.Word}, "", nil, nil},
		{token.Tokenizer{Kind: token.Word}, "...", nil, nil},
		{token.Tokenizer{Kind: token.Whitespace, Lowercase: true}, "It's  3.14\n", []string{"it's", "3.14"}, nil},
		{token.Tokenizer{Kind: token.Word, MinLen: 2, MaxLen: 3}, "a äö abc abcd", []string{"äö", "abc"}, nil},
		{token.Tokenizer{Kind: token.Word, Lowercase: true, Stopwords: []string{"The", "of"}}, "The end OF it", []string{"end", "it"}, nil},
		{token.Tokenizer{Kind: token.Word, Lowercase: true, Folding: true}, "Ação Straße Łódź ÆON", []string{"acao", "strasse", "lodz", "aeon"}, nil},
		{token.Tokenizer{Kind: token.Prefix, MinLen: 2, MaxLen: 4}, "übermut x", []string{"üb", "übe", "über"}, []string{"über"}},
		{token.Tokenizer{Kind: token.Prefix}, "abc", []string{"a", "ab", "abc"}, []string{"abc"}},
		{token.Tokenizer{Kind: token.Multilingual, Lowercase: true}, "Hello, wörld! x-1", []string{"hello", "wörld", "x", "1"}, []string{"hello", "wörld", "x", "1"}},
		{token.Tokenizer{Kind: token.Multilingual}, "日本語", []string{"日", "日本", "本", "本語", "語"}, []string{"日本", "本語"}},
		{token.Tokenizer{Kind: token.Multilingual}, "語", []string{"語"}, []string{"語"}},
		{token.Tokenizer{Kind: token.Multilingual, Lowercase: true}, "Go言語2024年", []string{"go", "言", "言語", "語", "2024", "年"}, []string{"go", "言語", "2024", "年"}},
		{token.Tokenizer{Kind: token.Multilingual}, "ｶﾞｰ ﬁ", []string{"ガ", "ガー", "ー", "fi"}, []string{"ガー", "fi"}},                                     // forms for half a width, ligatures
		{token.Tokenizer{Kind: token.Multilingual}, "กำปั้น", []string{"กํ", "กํา", "า", "าปั้", "ปั้", "ปั้น", "น"}, []string{"กํา", "าปั้", "ปั้น"}}, // marks stay with what they are of
		{token.Tokenizer{Kind: token.Multilingual}, "हिन्दी", []string{"हिन्दी"}, []string{"हिन्दी"}},
		{token.Tokenizer{Kind: token.Multilingual, Folding: true}, "Ação 한국", []string{"Acao", "한", "한국", "국"}, []string{"Acao", "한국"}},
		{token.Tokenizer{Kind: token.Multilingual, MinLen: 3, Stopwords: []string{"the", "的"}}, "ab the abc 好的", []string{"abc", "好", "好的"}, []string{"abc", "好的"}},
		{token.Tokenizer{Kind: token.Prefix, MinLen: 3, MaxLen: 3}, "abc ab", []string{"abc"}, []string{"abc"}},
	} {
		if err := c.t.Check(); err != nil {
			t.Errorf("%+v: %v", c.t, err)
		}
		if got := tokens(c.t, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%+v cuts %q into %q, want %q", c.t, c.text, got, c.want)
		}
		want := c.query
		if c.t.Kind != token.Prefix && c.t.Kind != token.Multilingual {
			want = c.want
		}
		if got := c.t.Cutter().Query(c.text); !slices.Equal(got, want) {
			t.Errorf("%+v makes %q of the query %q, want %q", c.t, got, c.text, want)
		}
	}
}

// What an index files a word under is exactly what Meets accepts.
func TestTokensAreWhatMeets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tk := token.Tokenizer{
			Kind: rapid.SampledFrom([]token.Kind{token.Word, token.Whitespace, token.Prefix, token.Multilingual}).Draw(t, "kind"), Lowercase: rapid.Bool().Draw(t, "lower"),
			Folding: rapid.Bool().Draw(t, "folding"), MinLen: rapid.SampledFrom([]uint64{0, 1, 2, 3}).Draw(t, "min"), MaxLen: rapid.SampledFrom([]uint64{0, 3, 5}).Draw(t, "max"),
			Stemmer: rapid.SampledFrom([]string{"", "english", "turkish"}).Draw(t, "stemmer"), StopLanguages: rapid.SampledFrom([][]string{nil, {"english", "german"}}).Draw(t, "stop words"),
		}
		c := tk.Cutter()
		word := rapid.OneOf(rapid.StringMatching(`[abäB日本ー]{1,6}`), rapid.SampledFrom([]string{"the", "theories", "cats", "日cats", "running", "Über"}))
		text, query := word.Draw(t, "text"), word.Draw(t, "query")
		if rapid.Bool().Draw(t, "begin") {
			query = text[:rapid.SampledFrom([]int{len(text), 1}).Draw(t, "cut")]
			if !utf8.ValidString(query) {
				return
			}
		}
		filed := tokens(tk, text)
		for _, q := range append(c.Query(query), c.Phrase(query)...) {
			meets := false
			c.Words(text, func(w string) bool { meets = meets || c.Meets(w, q); return true })
			if meets != slices.Contains(filed, q) {
				t.Fatalf("%+v: %q in %q: meets %v, filed under %q", tk, q, text, meets, filed)
			}
		}
	})
}

// What stands in a text in one piece is found there, as words and as a phrase, whatever stands around it: for scripts without
// spaces wherever it begins and ends, for others between what separates words.
func TestWhatStandsInATextIsFoundThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := token.Tokenizer{Kind: token.Multilingual, Lowercase: true}.Cutter()
		piece := rapid.StringMatching(`[日本語かナ한ก]{1,4}|[ab]{1,2} |[ab] [日本]{1,3}|[日本]{2} [ab] `)
		query, before, after := piece.Draw(t, "query"), rapid.StringMatching(`([日本語かナ한ก]{0,3}|[ab日]{0,2} )`).Draw(t, "before"), rapid.StringMatching(`[日本語かナ한ก]{0,3}| [ab日]{0,2}`).Draw(t, "after")
		if first := query[0]; first < 0x80 && before != "" {
			before += " "
		}
		text := before + query + after
		var words []string
		c.Words(text, func(w string) bool { words = append(words, w); return true })
		met := func(at int, q string) bool { return at < len(words) && c.Meets(words[at], q) }
		for _, q := range c.Query(query) {
			if !slices.ContainsFunc(words, func(w string) bool { return c.Meets(w, q) }) {
				t.Fatalf("%q is not in %q: no word of %q meets %q", query, text, words, q)
			}
		}
		phrase, found := c.Phrase(query), false
		for at := range words {
			all := true
			for i, q := range phrase {
				all = all && met(at+i, q)
			}
			found = found || all
		}
		if !found || len(phrase) == 0 {
			t.Fatalf("the phrase %q is not in %q", phrase, words)
		}
	})
}

func TestCuttingIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	if got := tokens(token.Tokenizer{Kind: token.Prefix}, long); len(got) != token.MaxPrefix || len(got[token.MaxPrefix-1]) != token.MaxPrefix {
		t.Errorf("%d prefixes", len(got))
	}
	n := 0
	token.Default().Cutter().Words("a b c", func(string) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("%d words after the call that wanted no more", n)
	}
}

func TestTokenizersAreChecked(t *testing.T) {
	for name, tk := range map[string]token.Tokenizer{
		"zero": {}, "kind": {Kind: "letters"}, "long": {Kind: token.Word, MaxLen: token.MaxLength + 1}, "order": {Kind: token.Word, MinLen: 2, MaxLen: 1},
		"prefix": {Kind: token.Prefix, MaxLen: token.MaxPrefix + 1}, "stop words": {Kind: token.Word, Stopwords: make([]string, token.MaxStopwords+1)},
		"stop language": {Kind: token.Word, StopLanguages: []string{"english", "tamil"}}, "code": {Kind: token.Word, StopLanguages: []string{"en"}},
		"stemmer": {Kind: token.Word, Stemmer: "basque"}, "stop languages": {Kind: token.Word, StopLanguages: slices.Repeat([]string{"english"}, 50)},
		"stop word": {Kind: token.Word, Stopwords: []string{"\xff"}}, "long stop word": {Kind: token.Word, Stopwords: []string{strings.Repeat("x", 256)}},
	} {
		if err := tk.Check(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := token.Tokenizer{Kind: token.Word, Stopwords: []string{"a"}}
	for i := range reflect.TypeFor[token.Tokenizer]().NumField() {
		b := a
		f := reflect.ValueOf(&b).Elem().Field(i)
		switch f.Kind() {
		case reflect.String:
			f.SetString("other")
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.Uint64:
			f.SetUint(9)
		default:
			f.Set(reflect.ValueOf([]string{"b"}))
		}
		if a.Equal(b) || !a.Equal(a) {
			t.Errorf("field %d does not count", i)
		}
	}
}
