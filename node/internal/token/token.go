// Package token owns how text is cut into tokens, for full-text conditions and the indexes that answer them.
//
// A Tokenizer is a plain value that travels inside filters, so that a condition means the same on every replica and
// with or without an index. Cutting never fails, keeps no state and takes memory for one word at a time.
//
// The steps come in the order that Qdrant has: a text is cut into words, each is folded, then made small, left out if it is
// a stop word, cut to its stem, and left out if it is too short or too long then. What is asked for goes the same way. Only
// the Prefix of a query is no stop word: who types "the" may be on the way to "theory".
package token

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"golang.org/x/text/unicode/norm"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Kind is how a Tokenizer finds words.
type Kind string

// The kinds.
const (
	Word       Kind = "word"       // runs of letters and digits
	Whitespace Kind = "whitespace" // what stands between white space
	Prefix     Kind = "prefix"     // Word, and a query's word is met by every word that begins with it
	// Multilingual is Word, but marks belong to words, forms that Unicode holds for the same are the same, and scripts that put no
	// space between words are cut into pairs of characters.
	Multilingual Kind = "multilingual"
)

// Limits of a Tokenizer.
const (
	MaxStopwords     = 1000
	MaxStopwordBytes = 255
	MaxLength        = 1 << 16 // of MinLen and MaxLen
	MaxPrefix        = 64      // characters of a prefix: longer ones are told apart no further
)

// Tokenizer says how to cut. Its zero value is not valid; Default is what Qdrant uses where nothing is said.
type Tokenizer struct {
	Kind      Kind     `json:"kind"`
	Lowercase bool     `json:"lowercase,omitempty"`
	Folding   bool     `json:"folding,omitempty"`   // accented letters count as the plain ones
	MinLen    uint64   `json:"min_len,omitempty"`   // characters; shorter words do not count (Prefix: shorter prefixes)
	MaxLen    uint64   `json:"max_len,omitempty"`   // characters; longer words do not count (Prefix: are cut); 0: no bound
	Stopwords []string `json:"stopwords,omitempty"` // words that do not count, as they are after Lowercase and Folding

	// StopLanguages are the languages whose commonest words do not count, Stemmer the one by whose rules words are cut to their
	// stems; "": they stay whole. Language returns the names.
	StopLanguages []string `json:"stop_languages,omitempty"`
	Stemmer       string   `json:"stemmer,omitempty"`
}

// Default returns the tokenizer of an index that says nothing about it.
func Default() Tokenizer { return Tokenizer{Kind: Word, Lowercase: true} }

// Check reports what is wrong with t, as an error of class fault.Invalid.
func (t Tokenizer) Check() error {
	switch {
	case t.Kind != Word && t.Kind != Whitespace && t.Kind != Prefix && t.Kind != Multilingual:
		return fault.New(fault.Invalid, "tokenizer %.32q is unknown: use word, whitespace, prefix or multilingual", t.Kind)
	case t.MinLen > MaxLength || t.MaxLen > MaxLength:
		return fault.New(fault.Invalid, "tokenizer: lengths of tokens can be up to %d characters", MaxLength)
	case t.MaxLen > 0 && t.MaxLen < t.MinLen:
		return fault.New(fault.Invalid, "tokenizer: max_token_len %d is less than min_token_len %d", t.MaxLen, t.MinLen)
	case t.Kind == Prefix && (t.MinLen > MaxPrefix || t.MaxLen > MaxPrefix):
		return fault.New(fault.Invalid, "tokenizer: prefixes can be up to %d characters long", MaxPrefix)
	case len(t.Stopwords) > MaxStopwords:
		return fault.New(fault.Invalid, "tokenizer: %d stop words, at most %d are allowed", len(t.Stopwords), MaxStopwords)
	}
	for _, s := range t.Stopwords {
		if len(s) > MaxStopwordBytes || !utf8.ValidString(s) {
			return fault.New(fault.Invalid, "tokenizer: stop word %.64q is not UTF-8 of at most %d bytes", s, MaxStopwordBytes)
		}
	}
	return t.checkLanguages()
}

func (t Tokenizer) checkLanguages() error {
	if len(t.StopLanguages) > len(languages) {
		return fault.New(fault.Invalid, "tokenizer: stop words of %d languages, at most %d are allowed", len(t.StopLanguages), len(languages))
	}
	for _, name := range t.StopLanguages {
		if languages[name].stop == nil {
			stop, _ := Languages()
			return fault.New(fault.Invalid, "tokenizer: there are no stop words of language %.32q (list them as custom ones), but of %s", name, strings.Join(stop, ", "))
		}
	}
	if t.Stemmer != "" && languages[t.Stemmer].stem == nil {
		_, stem := Languages()
		return fault.New(fault.Invalid, "tokenizer: there is no stemmer for language %.32q, but for %s", t.Stemmer, strings.Join(stem, ", "))
	}
	return nil
}

// Equal reports whether two tokenizers are declared alike.
func (t Tokenizer) Equal(o Tokenizer) bool {
	return t.Kind == o.Kind && t.Lowercase == o.Lowercase && t.Folding == o.Folding && t.MinLen == o.MinLen && t.MaxLen == o.MaxLen &&
		t.Stemmer == o.Stemmer && slices.Equal(t.Stopwords, o.Stopwords) && slices.Equal(t.StopLanguages, o.StopLanguages)
}

// Cutter is a Tokenizer ready for use. It is immutable.
type Cutter struct {
	t     Tokenizer
	form  form
	stop  map[string]struct{}
	lists []map[string]struct{}        // of StopLanguages
	stem  func(*snowballstem.Env) bool // nil: words stay whole
}

// Cutter prepares t.
func (t Tokenizer) Cutter() *Cutter {
	c := &Cutter{t: t, form: form{t.Lowercase, t.Folding, t.Kind == Multilingual}, stop: make(map[string]struct{}, len(t.Stopwords))}
	if t.Stemmer != "" {
		c.stem = languages[t.Stemmer].stem
	}
	for _, s := range t.Stopwords {
		c.stop[c.form.of(s)] = struct{}{}
	}
	for _, name := range t.StopLanguages {
		if list, known := lists[listKey{name, c.form}]; known {
			c.lists = append(c.lists, list())
		}
	}
	return c
}

// Words calls yield with the words of text that count, in order, in the form in which they are compared, until yield
// returns false.
func (c *Cutter) Words(text string, yield func(word string) bool) {
	if c.t.Kind == Multilingual {
		c.multilingual(text, func(word string, _ bool) bool { return yield(word) })
		return
	}
	c.words(text, true, yield)
}

// words is Words, for all kinds but Multilingual. Stop tells whether stop words are left out.
func (c *Cutter) words(text string, stop bool, yield func(word string) bool) {
	between := splits(c.t.Kind)
	for text != "" {
		start := strings.IndexFunc(text, func(r rune) bool { return !between(r) })
		if start < 0 {
			return
		}
		text = text[start:]
		end := strings.IndexFunc(text, between)
		if end < 0 {
			end = len(text)
		}
		word, counts := c.take(text[:end], stop)
		text = text[end:]
		if counts && !yield(word) {
			return
		}
	}
}

// splits returns what separates words.
func splits(k Kind) func(rune) bool {
	if k == Whitespace {
		return unicode.IsSpace
	}
	return func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }
}

// form is how words are made alike before anything else is asked of them.
type form struct {
	lowercase, folding bool
	compatible         bool // forms that Unicode holds for the same are the same
}

func (f form) of(word string) string {
	if f.compatible {
		word = norm.NFKC.String(word)
	}
	if f.folding {
		word = fold(word)
	}
	if f.lowercase {
		word = strings.ToLower(word)
	}
	return word
}

// take brings a word through all steps, and reports whether it counts.
func (c *Cutter) take(word string, stop bool) (string, bool) {
	word = c.form.of(word)
	if stop && c.isStop(word) {
		return "", false
	}
	if c.stem != nil {
		word = c.stemmed(word)
	}
	return word, c.fits(word)
}

func (c *Cutter) isStop(word string) bool {
	if _, stop := c.stop[word]; stop {
		return true
	}
	for _, list := range c.lists {
		if _, stop := list[word]; stop {
			return true
		}
	}
	return false
}

// fits reports whether a word is as long as words that count.
func (c *Cutter) fits(word string) bool {
	if c.t.MinLen == 0 && (c.t.MaxLen == 0 || c.t.Kind == Prefix) {
		return true
	}
	n := uint64(utf8.RuneCountInString(word))
	return n >= c.t.MinLen && (c.t.MaxLen == 0 || c.t.Kind == Prefix || n <= c.t.MaxLen)
}

// Tokens calls yield with what an index files a word under: the word, or each of its prefixes. It stops when yield
// returns false and reports whether it came to the end.
func (c *Cutter) Tokens(word string, yield func(token string) bool) bool {
	if c.t.Kind == Multilingual {
		first := firstOfPair(word)
		return (first == "" || yield(first)) && yield(word)
	}
	if c.t.Kind != Prefix {
		return yield(word)
	}
	n, least, most := 0, max(int(c.t.MinLen), 1), c.longest()
	for i := range word {
		if i > 0 && n >= least && !yield(word[:i]) {
			return false
		}
		if n++; n > most {
			return true
		}
	}
	return n < least || yield(word)
}

func (c *Cutter) longest() int {
	if c.t.MaxLen > 0 {
		return int(c.t.MaxLen)
	}
	return MaxPrefix
}

// Query returns the words of a query in order, as Meets wants them. What has them all next to each other is asked for by Phrase.
func (c *Cutter) Query(text string) (words []string) {
	if c.t.Kind == Multilingual {
		c.multilingual(text, func(word string, rest bool) bool {
			if !rest {
				words = append(words, word)
			}
			return true
		})
		return words
	}
	return c.wanted(text, c.t.Kind != Prefix)
}

func (c *Cutter) wanted(text string, stop bool) (words []string) {
	c.words(text, stop, func(word string) bool {
		words = append(words, c.cut(word))
		return true
	})
	return words
}

// Phrase returns the words of a query that are to be met by words next to each other: stop words do not stand between them.
func (c *Cutter) Phrase(text string) (words []string) {
	if c.t.Kind != Multilingual {
		return c.wanted(text, true)
	}
	trailing := false
	c.multilingual(text, func(word string, rest bool) bool {
		words, trailing = append(words, word), rest
		return true
	})
	if trailing { // where the phrase ends, more may follow in the text
		words = words[:len(words)-1]
	}
	return words
}

// cut shortens a query's word to the longest prefix that is told apart.
func (c *Cutter) cut(word string) string {
	if c.t.Kind != Prefix {
		return word
	}
	n, most := 0, c.longest()
	for i := range word {
		if n == most {
			return word[:i]
		}
		n++
	}
	return word
}

// Meets reports whether a word of a text meets one of a query: it is among the word's Tokens.
func (c *Cutter) Meets(word, query string) bool {
	if c.t.Kind == Prefix {
		return strings.HasPrefix(word, query)
	}
	return word == query || c.t.Kind == Multilingual && len(query) < len(word) && firstOfPair(word) == query
}
