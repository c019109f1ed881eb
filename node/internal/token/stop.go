package token

import (
	"sync"

	"github.com/blevesearch/bleve/v2/analysis"
)

// listKey is a language's list of stop words in one form.
type listKey struct {
	language string
	form     form
}

// lists has the stop words by language, as they are after the steps that come before. Each list is made when it is first asked
// for, once: conditions on text are prepared with every request.
var lists = func() map[listKey]func() map[string]struct{} {
	out := map[listKey]func() map[string]struct{}{}
	yesNo := []bool{false, true}
	for name, l := range languages {
		if l.stop == nil {
			continue
		}
		for _, lowercase := range yesNo {
			for _, folding := range yesNo {
				for _, compatible := range yesNo {
					f := form{lowercase, folding, compatible}
					out[listKey{name, f}] = sync.OnceValue(func() map[string]struct{} { return f.list(l.stop) })
				}
			}
		}
	}
	return out
}()

// list reads a text with a word in each line, and remarks.
func (f form) list(text []byte) map[string]struct{} {
	words := analysis.NewTokenMap()
	if err := words.LoadBytes(text); err != nil {
		panic(err) // it comes with the program
	}
	out := make(map[string]struct{}, len(words))
	for w := range words {
		out[f.of(w)] = struct{}{}
	}
	return out
}
