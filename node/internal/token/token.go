// Package token owns how text is cut into tokens, for full-text conditions and the indexes that answer them.
//
// A Tokenizer is a plain value that travels inside filters, so that a condition means the same on every replica and
// with or without an index. Cutting never fails, keeps no state and takes memory for one word at a time.
package token

import (
	"strings"
	"unicode"
	"unicode/utf8"

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
	return nil
}

// Equal reports whether two tokenizers are declared alike.
func (t Tokenizer) Equal(o Tokenizer) bool {
	if len(t.Stopwords) != len(o.Stopwords) {
		return false
	}
	for i, s := range t.Stopwords {
		if s != o.Stopwords[i] {
			return false
		}
	}
	return t.Kind == o.Kind && t.Lowercase == o.Lowercase && t.Folding == o.Folding && t.MinLen == o.MinLen && t.MaxLen == o.MaxLen
}

// Cutter is a Tokenizer ready for use. It is immutable.
type Cutter struct {
	t    Tokenizer
	stop map[string]struct{}
}

// Cutter prepares t.
func (t Tokenizer) Cutter() *Cutter {
	c := &Cutter{t: t, stop: make(map[string]struct{}, len(t.Stopwords))}
	for _, s := range t.Stopwords {
		c.stop[c.normal(s)] = struct{}{}
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
		word := c.normal(text[:end])
		text = text[end:]
		if c.counts(word) && !yield(word) {
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

func (c *Cutter) normal(word string) string {
	if c.t.Kind == Multilingual {
		word = norm.NFKC.String(word)
	}
	if c.t.Lowercase {
		word = strings.ToLower(word)
	}
	if c.t.Folding {
		word = fold(word)
	}
	return word
}

func (c *Cutter) counts(word string) bool {
	if _, stop := c.stop[word]; stop {
		return false
	}
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
	c.Words(text, func(word string) bool {
		words = append(words, c.cut(word))
		return true
	})
	return words
}

// Phrase returns the words of a query that are to be met by words next to each other.
func (c *Cutter) Phrase(text string) (words []string) {
	if c.t.Kind != Multilingual {
		return c.Query(text)
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
