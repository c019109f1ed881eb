package token

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fold turns accented letters into plain ones: it takes letters apart (Unicode NFKD), drops the marks, and spells out
// the few Latin letters that have none to take off.
func fold(word string) string {
	if isASCII(word) {
		return word
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(word) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case plain[r] != "":
			b.WriteString(plain[r])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// plain spells the Latin letters that Unicode does not take apart.
var plain = map[rune]string{
	'æ': "ae", 'Æ': "AE", 'œ': "oe", 'Œ': "OE", 'ø': "o", 'Ø': "O", 'đ': "d", 'Đ': "D", 'ð': "d", 'Ð': "D",
	'þ': "th", 'Þ': "TH", 'ł': "l", 'Ł': "L", 'ß': "ss", 'ẞ': "SS", 'ħ': "h", 'Ħ': "H", 'ı': "i", 'ŋ': "n", 'Ŋ': "N",
}
