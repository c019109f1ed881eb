package token

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unspaced are the scripts of languages that put no space between words, or between a word and what is added to it. Without a
// dictionary, two characters next to each other are the best that can be had for a word.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// prolonged is the sound mark that katakana share with hiragana.
const prolonged = 'ー'

func isUnspaced(r rune) bool {
	return r >= 0x0e00 && (r == prolonged || unicode.In(r, unspaced...)) && !unicode.Is(unicode.Nd, r)
}

// multilingual calls yield with the words of text, as Words does. A run of n characters of an unspaced script has n: each with the
// one behind it, and the last alone. Rest tells that a word is such a last one, of several.
func (c *Cutter) multilingual(text string, yield func(word string, rest bool) bool) {
	for text != "" {
		start := strings.IndexFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
		if start < 0 {
			return
		}
		text = text[start:]
		end := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) })
		if end < 0 {
			end = len(text)
		}
		if !c.run(norm.NFKC.String(text[:end]), yield) {
			return
		}
		text = text[end:]
	}
}

// run cuts letters, digits and marks where unspaced scripts begin and end.
func (c *Cutter) run(run string, yield func(word string, rest bool) bool) bool {
	for run != "" {
		if n := spacedPart(run); n > 0 {
			if word, counts := c.take(run[:n], true); counts && !yield(word, false) {
				return false
			}
			run = run[n:]
			continue
		}
		first, several := character(run), false
		for first < len(run) {
			r, _ := utf8.DecodeRuneInString(run[first:])
			if !isUnspaced(r) {
				break
			}
			second := first + character(run[first:])
			if !c.pass(run[:second], false, yield) {
				return false
			}
			run, first, several = run[first:], second-first, true
		}
		if !c.pass(run[:first], several, yield) {
			return false
		}
		run = run[first:]
	}
	return true
}

// pass yields one or two characters. How long words are to be is said of those between spaces.
func (c *Cutter) pass(word string, rest bool, yield func(word string, rest bool) bool) bool {
	return c.isStop(word) || yield(word, rest)
}

// spacedPart is how many bytes come before the first character of an unspaced script.
func spacedPart(run string) int {
	if n := strings.IndexFunc(run, isUnspaced); n >= 0 {
		return n
	}
	return len(run)
}

// character is how many bytes the first character takes, with its marks.
func character(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if !unicode.IsMark(r) {
			break
		}
		n += size
	}
	return n
}

// firstOfPair returns the first of two characters of an unspaced script, "" for any other word.
func firstOfPair(word string) string {
	if r, _ := utf8.DecodeRuneInString(word); !isUnspaced(r) {
		return ""
	}
	if n := character(word); n < len(word) {
		return word[:n]
	}
	return ""
}
