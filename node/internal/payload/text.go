package payload

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// texts is the index of the tokens of strings.
type texts struct {
	dictionary
	tokenizer token.Tokenizer
	cutter    *token.Cutter
}

func newTexts(t *token.Tokenizer) *texts {
	x := &texts{dictionary: newDictionary(), tokenizer: token.Default()}
	if t != nil {
		x.tokenizer = *t
	}
	x.cutter = x.tokenizer.Cutter()
	return x
}

// cut takes the tokens of a string; who extracts notices when there are too many of them.
func (x *texts) cut(e *entry, v any) {
	s, ok := v.(string)
	if !ok {
		return
	}
	x.cutter.Words(s, func(word string) bool {
		return x.cutter.Tokens(word, func(t string) bool {
			e.token(t)
			return len(e.texts) <= maxElements
		})
	})
}

// fewTokens is up to how many tokens may stand in an entry twice before somebody looks.
const fewTokens = 64

func (e *entry) token(t string) {
	if len(e.texts) < fewTokens {
		e.texts = append(e.texts, t)
		return
	}
	if e.seen == nil {
		e.seen = make(map[string]struct{}, 2*fewTokens)
		for _, known := range e.texts {
			e.seen[known] = struct{}{}
		}
	}
	if _, known := e.seen[t]; !known {
		e.seen[t] = struct{}{}
		e.texts = append(e.texts, t)
	}
}

func (x *texts) put(label uint32, e *entry) { x.dictionary.put(label, e.texts) }

func (x *texts) count() uint64 { return x.has.count() }

func (x *texts) match(c *filter.Field) (answer, bool) {
	if c.Match == nil || c.Match.Text == nil || c.Match.Text.Tokenizer == nil || !c.Match.Text.Tokenizer.Equal(x.tokenizer) {
		return answer{}, false
	}
	words := x.cutter.Query(c.Match.Text.Query)
	if c.Match.Text.Mode == filter.TextPhrase {
		words = x.cutter.Phrase(c.Match.Text.Query)
	}
	switch {
	case len(words) == 0:
		return exactly(none()), true
	case c.Match.Text.Mode == filter.TextAny:
		return exactly(x.withAny(words)), true
	case c.Match.Text.Mode == filter.TextPhrase && len(words) > 1:
		return upTo(x.withAll(words)), true
	}
	return exactly(x.withAll(words)), true
}

// withAll returns the labels that have every one of some texts.
func (d *dictionary) withAll(texts []string) set {
	numbers := make([]uint32, len(texts))
	for i, t := range texts {
		n, ok := d.numbers[t]
		if !ok {
			return none()
		}
		numbers[i] = n
	}
	slices.SortFunc(numbers, func(a, b uint32) int { return int(d.postings[a].n) - int(d.postings[b].n) })
	out := d.postings[numbers[0]].set()
	for _, n := range slices.Compact(numbers[1:]) {
		out = and(out, d.postings[n].set())
	}
	return out
}
