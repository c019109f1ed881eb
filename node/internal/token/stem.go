package token

import (
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
)

// MaxStemBytes is how long a word is cut to its stem. Nobody writes longer ones, and rules may take time that grows with the
// square of a word's length.
const MaxStemBytes = 255

// stemmed returns the stem of a word, and the word itself if the language's rules leave nothing of it.
func (c *Cutter) stemmed(word string) string {
	if len(word) > MaxStemBytes || !utf8.ValidString(word) {
		return word
	}
	env := snowballstem.NewEnv(word)
	c.stem(env)
	if stem := env.Current(); stem != "" {
		return stem
	}
	return word
}
