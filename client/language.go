package client

import (
	"slices"
	"strings"
)

// language is one that a server may know, ours or Qdrant's.
type language struct {
	code       string
	stop, stem bool // there may be stop words, a stemmer
}

var languages = map[string]language{
	"arabic": {"ar", true, true}, "armenian": {"hy", true, true}, "azerbaijani": {"az", true, false}, "basque": {"eu", true, false},
	"bengali": {"bn", true, false}, "bulgarian": {"bg", true, false}, "catalan": {"ca", true, false}, "chinese": {"zh", true, false},
	"czech": {"cs", true, false}, "danish": {"da", true, true}, "dutch": {"nl", true, true}, "english": {"en", true, true},
	"finnish": {"fi", true, true}, "french": {"fr", true, true}, "galician": {"gl", true, false}, "german": {"de", true, true},
	"greek": {"el", true, true}, "hebrew": {"he", true, false}, "hindi": {"hi", true, false}, "hinglish": {"hi-en", true, false},
	"hungarian": {"hu", true, true}, "indonesian": {"id", true, false}, "irish": {"ga", true, true}, "italian": {"it", true, true},
	"japanese": {"jp", true, false}, "kazakh": {"kk", true, false}, "nepali": {"ne", true, false}, "norwegian": {"no", true, true},
	"portuguese": {"pt", true, true}, "romanian": {"ro", true, true}, "russian": {"ru", true, true}, "slovene": {"sl", true, false},
	"spanish": {"es", true, true}, "swedish": {"sv", true, true}, "tajik": {"tg", true, false}, "tamil": {"ta", false, true},
	"turkish": {"tr", true, true},
}

// StopwordLanguages returns the names of what TextIndex.Stopwords may hold. A server refuses those that it has no words of.
func StopwordLanguages() []string { return languagesWith(func(l language) bool { return l.stop }) }

// StemmerLanguages returns the names of what TextIndex.Stemmer may be besides StemmerDisabled. A server refuses those that it has no rules of.
func StemmerLanguages() []string { return languagesWith(func(l language) bool { return l.stem }) }

func languagesWith(has func(language) bool) (names []string) {
	for name, l := range languages {
		if has(l) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// LanguageName returns the name of a language that goes by its name or its code, in small or capital letters. What is no language
// comes back as it is.
func LanguageName(nameOrCode string) string {
	small := strings.ToLower(nameOrCode)
	if _, known := languages[small]; known {
		return small
	}
	for name, l := range languages {
		if l.code == small {
			return name
		}
	}
	return nameOrCode
}
