package filter

import (
	"strings"
	"unicode/utf8"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// Limits of the query of a Text.
const (
	MaxTextBytes = 64 << 10
	MaxTextWords = 1000 // with a tokenizer
)

func (d *Text) check() error {
	switch {
	case len(d.Query) > MaxTextBytes:
		return invalid("text of %d bytes: at most %d are allowed", len(d.Query), MaxTextBytes)
	case !utf8.ValidString(d.Query):
		return invalid("text is not valid UTF-8")
	case d.Mode != TextAll && d.Mode != TextAny && d.Mode != TextPhrase:
		return invalid("text mode %.32q is none of all, any, phrase", d.Mode)
	case d.Tokenizer != nil:
		return d.Tokenizer.Check()
	}
	return nil
}

// contained compiles a Text without a tokenizer into a test of one value.
func (d *Text) contained() (func(any) bool, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	parts := []string{d.Query}
	if d.Mode == TextAny {
		parts = strings.Fields(d.Query)
	}
	return func(v any) bool {
		s, ok := v.(string)
		if !ok {
			return false
		}
		for _, part := range parts {
			if strings.Contains(s, part) {
				return true
			}
		}
		return false
	}, nil
}

// words compiles a Text with a tokenizer.
func (c *compiler) words(path point.Path, d *Match) (condition, error) {
	if err := d.one(); err != nil {
		return nil, err
	}
	if err := d.Text.check(); err != nil {
		return nil, err
	}
	w := &words{path: path, mode: d.Text.Mode, cutter: d.Text.Tokenizer.Cutter()}
	w.query = w.cutter.Query(d.Text.Query)
	if w.mode == TextPhrase {
		w.query = w.cutter.Phrase(d.Text.Query)
	}
	if len(w.query) > MaxTextWords {
		return nil, invalid("text of %d words: at most %d are allowed", len(w.query), MaxTextWords)
	}
	if w.mode != TextPhrase {
		w.query = distinct(w.query)
	}
	if kind := d.Text.Tokenizer.Kind; len(w.query) > shortList && kind != token.Prefix && kind != token.Multilingual {
		w.places = make(map[string]int, len(w.query))
		for i, q := range w.query {
			w.places[q] = i
		}
	}
	return w, c.spend(len(w.query))
}

func distinct(list []string) []string {
	seen := make(map[string]struct{}, len(list))
	out := list[:0]
	for _, s := range list {
		if _, ok := seen[s]; !ok {
			seen[s] = struct{}{}
			out = append(out, s)
		}
	}
	return out
}

// words is a Text with a tokenizer.
type words struct {
	path   point.Path
	mode   TextMode
	cutter *token.Cutter
	query  []string       // distinct, but for a phrase
	places map[string]int // of a long query whose words are met by equal ones
}

func (w *words) payload() bool { return true }

func (w *words) match(t Target, in scope) bool {
	if len(w.query) == 0 {
		return false
	}
	found := search{w: w}
	if w.mode != TextPhrase {
		found.met = make([]bool, len(w.query))
	}
	ok, _ := in.any(t, w.path, orElement(found.value))
	return ok
}

// search is one point being looked through.
type search struct {
	w    *words
	met  []bool
	hits int
}

// value reports whether the words are there once this value was looked at too.
func (f *search) value(v any) bool {
	text, ok := v.(string)
	if !ok {
		return false
	}
	if f.w.mode == TextPhrase {
		return f.w.phraseIn(text)
	}
	need := len(f.w.query)
	if f.w.mode == TextAny {
		need = 1
	}
	f.w.cutter.Words(text, func(word string) bool {
		f.meet(word)
		return f.hits < need
	})
	return f.hits >= need
}

func (f *search) meet(word string) {
	if f.w.places != nil {
		if i, ok := f.w.places[word]; ok {
			f.mark(i)
		}
		return
	}
	for i, q := range f.w.query {
		if f.w.cutter.Meets(word, q) {
			f.mark(i)
		}
	}
}

func (f *search) mark(i int) {
	if !f.met[i] {
		f.met[i] = true
		f.hits++
	}
}

// phraseIn looks for the query's words one after the other.
func (w *words) phraseIn(text string) bool {
	last := make([]string, len(w.query)) // a ring of the last words
	n, found := 0, false
	w.cutter.Words(text, func(word string) bool {
		last[n%len(last)] = word
		n++
		found = n >= len(last) && w.phraseEnds(last, n)
		return !found
	})
	return found
}

// phraseEnds compares the words before the n-th with the query, the last one first.
func (w *words) phraseEnds(ring []string, n int) bool {
	for i := len(ring) - 1; i >= 0; i-- {
		n--
		if !w.cutter.Meets(ring[n%len(ring)], w.query[i]) {
			return false
		}
	}
	return true
}

// Tokenized returns f with a tokenizer in each Text that has none and whose path, from the top of the payload and in
// canonical form, lookup gives one for. f itself does not change; without such a Text it is returned as it is.
func (f *Filter) Tokenized(lookup func(path string) *token.Tokenizer) *Filter {
	if f == nil || !f.hasText(MaxDepth+joinedDepth) {
		return f
	}
	out := f.tokenized(lookup, "", MaxDepth+joinedDepth)
	return &out
}

func (f *Filter) hasText(levels int) bool {
	any := func(list []Condition) bool {
		for i := range list {
			if list[i].hasText(levels) {
				return true
			}
		}
		return false
	}
	return levels > 0 && (any(f.Must) || any(f.Should) || any(f.MustNot) || f.MinShould != nil && any(f.MinShould.Conditions))
}

func (c *Condition) hasText(levels int) bool {
	switch {
	case c.Field != nil:
		return c.Field.Match != nil && c.Field.Match.Text != nil
	case c.Nested != nil:
		return c.Nested.Filter.hasText(levels - 1)
	case c.Filter != nil:
		return c.Filter.hasText(levels - 1)
	}
	return false
}

// tokenized does it for a filter whose paths start below a prefix. What is nested too deeply stays: Compile refuses it.
func (f *Filter) tokenized(lookup func(string) *token.Tokenizer, below string, levels int) Filter {
	if levels == 0 {
		return *f
	}
	each := func(list []Condition) []Condition {
		out := make([]Condition, len(list))
		for i, c := range list {
			out[i] = c.tokenized(lookup, below, levels)
		}
		return out
	}
	out := Filter{Must: each(f.Must), Should: each(f.Should), MustNot: each(f.MustNot)}
	if f.MinShould != nil {
		out.MinShould = &MinShould{Conditions: each(f.MinShould.Conditions), Count: f.MinShould.Count}
	}
	return out
}

func (c Condition) tokenized(lookup func(string) *token.Tokenizer, below string, levels int) Condition {
	switch {
	case c.Filter != nil:
		inner := c.Filter.tokenized(lookup, below, levels-1)
		c.Filter = &inner
	case c.Nested != nil:
		if path, err := point.ParsePath(below + c.Nested.Key); err == nil {
			inner := c.Nested.Filter.tokenized(lookup, path.Every().String()+".", levels-1)
			c.Nested = &Nested{Key: c.Nested.Key, Filter: inner}
		}
	case c.Field != nil && c.Field.Match != nil && c.Field.Match.Text != nil && c.Field.Match.Text.Tokenizer == nil:
		path, err := point.ParsePath(below + c.Field.Key)
		if err != nil {
			break
		}
		text, match, field := *c.Field.Match.Text, *c.Field.Match, *c.Field
		text.Tokenizer = lookup(path.String())
		match.Text, field.Match = &text, &match
		c.Field = &field
	}
	return c
}
