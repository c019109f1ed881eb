package token_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// Each step sees what the one before it leaves: folding, small letters, stop words, stems, lengths.
func TestStepsComeInTheirOrder(t *testing.T) {
	english, french := []string{"english"}, []string{"french"}
	for name, c := range map[string]struct {
		t             token.Tokenizer
		text          string
		words         []string
		query, phrase []string // nil: as words
	}{
		"a stem":                         {t: token.Tokenizer{Kind: token.Word, Lowercase: true, Stemmer: "english"}, text: "Running, RUNS easily", words: []string{"run", "run", "easili"}},
		"no stem":                        {t: token.Tokenizer{Kind: token.Word, Lowercase: true}, text: "Running", words: []string{"running"}},
		"capital letters are no ending":  {t: token.Tokenizer{Kind: token.Word, Stemmer: "english"}, text: "RUNNING", words: []string{"RUNNING"}},
		"stop words, then stems":         {t: token.Tokenizer{Kind: token.Word, Lowercase: true, Stemmer: "english", StopLanguages: english}, text: "The doing of cats", words: []string{"cat"}},
		"a stem is no stop word":         {t: token.Tokenizer{Kind: token.Word, Lowercase: true, Stemmer: "english", Stopwords: []string{"cat"}}, text: "cats cat", words: []string{"cat"}},
		"a stop word is not its stem":    {t: token.Tokenizer{Kind: token.Word, Lowercase: true, Stemmer: "english", Stopwords: []string{"cats"}}, text: "cats cat", words: []string{"cat"}},
		"custom ones beside a language":  {t: token.Tokenizer{Kind: token.Word, Lowercase: true, StopLanguages: english, Stopwords: []string{"Cats"}}, text: "the cats sleep", words: []string{"sleep"}},
		"two languages":                  {t: token.Tokenizer{Kind: token.Word, Lowercase: true, StopLanguages: []string{"english", "german"}}, text: "the Katze und dog", words: []string{"katze", "dog"}},
		"small stop words":               {t: token.Tokenizer{Kind: token.Word, StopLanguages: english}, text: "The the", words: []string{"The"}},
		"folded stop words":              {t: token.Tokenizer{Kind: token.Word, Lowercase: true, Folding: true, StopLanguages: french}, text: "Été etait été chat", words: []string{"chat"}},
		"folding, then small letters":    {t: token.Tokenizer{Kind: token.Word, Lowercase: true, Folding: true}, text: "ℌ İ", words: []string{"h", "i"}},
		"folding, then stems":            {t: token.Tokenizer{Kind: token.Word, Lowercase: true, Folding: true, Stemmer: "german"}, text: "Häuser", words: []string{"haus"}},
		"stems, then the least length":   {t: token.Tokenizer{Kind: token.Word, Lowercase: true, MinLen: 4, Stemmer: "english"}, text: "running sleeping", words: []string{"sleep"}},
		"stems, then the most length":    {t: token.Tokenizer{Kind: token.Word, Lowercase: true, MaxLen: 3, Stemmer: "english"}, text: "running sleeping", words: []string{"run"}},
		"between spaces":                 {t: token.Tokenizer{Kind: token.Whitespace, Lowercase: true, Stemmer: "english", StopLanguages: english}, text: "Don't you're cats", words: []string{"cat"}},
		"between marks":                  {t: token.Tokenizer{Kind: token.Multilingual, Lowercase: true, Stemmer: "english", StopLanguages: english}, text: "the Cats猫", words: []string{"cat", "猫"}},
		"as Unicode holds for the same":  {t: token.Tokenizer{Kind: token.Multilingual, Lowercase: true, Stemmer: "english", StopLanguages: english}, text: "ｔｈｅ ｃａｔｓ", words: []string{"cat"}},
		"prefixes of stems":              {t: token.Tokenizer{Kind: token.Prefix, Lowercase: true, MaxLen: 4, Stemmer: "english"}, text: "sleeping runs", words: []string{"sleep", "run"}, query: []string{"slee", "run"}, phrase: []string{"slee", "run"}},
		"the prefix of a query may stop": {t: token.Tokenizer{Kind: token.Prefix, Lowercase: true, StopLanguages: english}, text: "the cat", words: []string{"cat"}, query: []string{"the", "cat"}},
		"and is not too short for it":    {t: token.Tokenizer{Kind: token.Prefix, Lowercase: true, MinLen: 3, StopLanguages: english}, text: "of the cat", words: []string{"cat"}, query: []string{"the", "cat"}},
	} {
		if err := c.t.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cutter := c.t.Cutter()
		var words []string
		cutter.Words(c.text, func(w string) bool { words = append(words, w); return true })
		if c.query == nil {
			c.query = c.words
		}
		if c.phrase == nil {
			c.phrase = c.words
		}
		if !slices.Equal(words, c.words) || !slices.Equal(cutter.Query(c.text), c.query) || !slices.Equal(cutter.Phrase(c.text), c.phrase) {
			t.Errorf("%s: %q has the words %q, want %q; asked for are %q, want %q; as a phrase %q, want %q",
				name, c.text, words, c.words, cutter.Query(c.text), c.query, cutter.Phrase(c.text), c.phrase)
		}
	}
}

// Of every language: words that the rules bring together, and what is left of them.
func TestEveryStemmerCutsItsLanguage(t *testing.T) {
	want := map[string][]string{
		"arabic": {"كتاب", "الكتاب", "كتاب"}, "danish": {"hus", "huset", "huse"}, "dutch": {"licham", "lichamen", "lichaam"}, "english": {"connect", "connected", "connection"},
		"finnish": {"talo", "talossa", "talot"}, "french": {"continu", "continuer", "continuait"}, "german": {"hund", "hunde", "hunden"}, "hungarian": {"ház", "házak", "házban"},
		"irish": {"bád", "bhád", "mbád"}, "italian": {"abbandon", "abbandonata", "abbandonare"}, "norwegian": {"havn", "havnen", "havner"}, "portuguese": {"menin", "menino", "menina"},
		"romanian": {"copil", "copilul", "copilului"}, "russian": {"книг", "книга", "книги"}, "spanish": {"libr", "libros", "libro"}, "swedish": {"bil", "bilar", "bilen"},
		"tamil": {"மரங்", "மரங்கள்", "மரங்களை"}, "turkish": {"ev", "evler", "evde"},
	}
	_, all := token.Languages()
	for _, language := range all {
		cutter := token.Tokenizer{Kind: token.Multilingual, Stemmer: language}.Cutter()
		if len(want[language]) < 2 {
			t.Errorf("%s: no words are known", language)
			continue
		}
		for _, word := range want[language][1:] {
			if got := cutter.Query(word); !slices.Equal(got, want[language][:1]) {
				t.Errorf("%s: the stem of %s is %q, want %s", language, word, got, want[language][0])
			}
		}
	}
}

// Of every language: a word that everybody uses does not count, and another does.
func TestEveryListLeavesOutItsLanguage(t *testing.T) {
	commonest := map[string]string{
		"arabic": "في", "armenian": "եմ", "basque": "eta", "bulgarian": "един", "catalan": "els", "czech": "jsem", "danish": "og", "dutch": "het", "english": "the", "finnish": "ja", "french": "les",
		"galician": "unha", "german": "und", "hindi": "और", "hungarian": "és", "indonesian": "dan", "irish": "agus", "italian": "gli", "norwegian": "og", "portuguese": "uma", "romanian": "este",
		"russian": "что", "spanish": "los", "swedish": "och", "turkish": "ve",
	}
	all, _ := token.Languages()
	if len(all) != len(commonest) {
		t.Errorf("%d languages have lists, %d words are known", len(all), len(commonest))
	}
	for _, language := range all {
		for _, tk := range []token.Tokenizer{
			{Kind: token.Multilingual, Lowercase: true}, {Kind: token.Multilingual, Folding: true}, {Kind: token.Whitespace}, {Kind: token.Whitespace, Lowercase: true, Folding: true},
		} {
			tk.StopLanguages = []string{language}
			var words []string
			tk.Cutter().Words("ostraka "+commonest[language], func(w string) bool { words = append(words, w); return true })
			if !slices.Equal(words, []string{"ostraka"}) {
				t.Errorf("%s: %+v leaves %q", language, tk, words)
			}
		}
	}
}

func TestLanguagesHaveNamesAndCodes(t *testing.T) {
	for given, want := range map[string]string{
		"english": "english", "English": "english", "EN": "english", "en": "english", "pt": "portuguese", "ta": "tamil", "eu": "basque", "": "", "e": "e", "Klingon": "Klingon", "xx": "xx",
	} {
		if got := token.Language(given); got != want {
			t.Errorf("%q is %q, want %q", given, got, want)
		}
	}
	stop, stem := token.Languages()
	for _, name := range slices.Concat(stop, stem) {
		tk := token.Tokenizer{Kind: token.Word}
		if slices.Contains(stop, name) {
			tk.StopLanguages = []string{name}
		}
		if slices.Contains(stem, name) {
			tk.Stemmer = name
		}
		if err := tk.Check(); err != nil || token.Language(name) != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, tk := range map[string]token.Tokenizer{
		`no stop words of language "greek" (list them as custom ones), but of arabic, armenian, `: {Kind: token.Word, StopLanguages: []string{"english", "greek"}},
		`no stemmer for language "greek", but for arabic, danish, `:                               {Kind: token.Word, Stemmer: "greek"},
	} {
		if err := tk.Check(); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestStemmingIsBounded(t *testing.T) {
	_, all := token.Languages()
	for _, language := range all {
		cutter := token.Tokenizer{Kind: token.Whitespace, Stemmer: language}.Cutter()
		for _, part := range []string{"s", "ing", "ей", "ங்", "ال", "'", "\xff", "ler"} {
			long := strings.Repeat(part, 1<<10)
			if got := cutter.Query(long); len(got) != 1 || got[0] != long {
				t.Errorf("%s: a long word of %q is changed", language, part)
			}
		}
		if got := cutter.Query("run\xffning"); len(got) != 1 || got[0] != "run\xffning" {
			t.Errorf("%s: a word that is not UTF-8 is changed", language)
		}
	}
}

// Whatever a text holds, each language's rules leave something of each of its words, and the same each time.
func FuzzStems(f *testing.F) {
	for _, text := range []string{"Running runs easily", "häuser gata'nın ей ங்கள் الكتاب", "\ufffd\u0300 a\xffb 日本", "s's '' yyyy", strings.Repeat("ing", 85)} {
		f.Add(text)
	}
	_, all := token.Languages()
	f.Fuzz(func(t *testing.T, text string) {
		for _, language := range all {
			for _, kind := range []token.Kind{token.Whitespace, token.Multilingual} {
				plain, cutter := token.Tokenizer{Kind: kind}.Cutter(), token.Tokenizer{Kind: kind, Stemmer: language}.Cutter()
				words, stems := plain.Query(text), cutter.Query(text)
				if len(words) != len(stems) || !slices.Equal(stems, cutter.Query(text)) {
					t.Fatalf("%s: %q has the words %q and the stems %q", language, text, words, stems)
				}
				for i, stem := range stems {
					if stem == "" || len(stem) > len(words[i])+utf8.UTFMax || utf8.ValidString(words[i]) && !utf8.ValidString(stem) {
						t.Fatalf("%s: the stem of %q is %q", language, words[i], stem)
					}
				}
			}
		}
	})
}
