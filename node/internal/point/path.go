package point

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Path names values inside a payload, in Qdrant's notation:
//
//	path   key { "." key | "[]" | "[" index "]" }
//	key    letters, digits, "_" and "-", or anything without a quote and a backslash in double quotes
//
// "a.b" is the member b of the object a, "a[]" every element of the array a, "a[0]" its first. Objects inside arrays
// are reached only through "[]" or an index. Paths are made by ParsePath; the zero Path reaches nothing.
type Path struct{ steps []step }

type stepKind uint8

const (
	stepKey   stepKind = iota // member of an object
	stepIndex                 // element of an array
	stepEvery                 // every element of an array
)

type step struct {
	kind  stepKind
	key   string
	index int
}

// ParsePath reads a path.
func ParsePath(text string) (Path, error) {
	if len(text) > MaxPathBytes {
		return Path{}, exceeds("payload path of %d bytes: at most %d are allowed", len(text), MaxPathBytes)
	}
	steps, ok := parseSteps(text)
	if !ok {
		return Path{}, invalid("payload path %.128q is not understood: write a.b, a[].b, a[0] or \"any key\".b", text)
	}
	if len(steps) > MaxDepth {
		return Path{}, exceeds("payload path %.128q has %d steps: at most %d are allowed", text, len(steps), MaxDepth)
	}
	return Path{steps}, nil
}

func parseSteps(text string) ([]step, bool) {
	key, rest, ok := cutKey(text)
	steps := []step{{key: key}}
	for ok && rest != "" {
		var s step
		s, rest, ok = cutStep(rest)
		steps = append(steps, s)
	}
	return steps, ok
}

func cutStep(text string) (s step, rest string, ok bool) {
	if text[0] == '.' {
		s.key, rest, ok = cutKey(text[1:])
		return s, rest, ok
	}
	inside, rest, ok := strings.Cut(text, "]")
	digits, opened := strings.CutPrefix(inside, "[")
	if !ok || !opened {
		return s, "", false
	}
	if digits == "" {
		return step{kind: stepEvery}, rest, true
	}
	index, err := strconv.ParseUint(digits, 10, 31)
	return step{kind: stepIndex, index: int(index)}, rest, err == nil
}

func cutKey(text string) (key, rest string, ok bool) {
	if strings.HasPrefix(text, `"`) {
		key, rest, ok = strings.Cut(text[1:], `"`)
		return key, rest, ok && utf8.ValidString(key) && !strings.Contains(key, `\`)
	}
	end := strings.IndexFunc(text, func(r rune) bool { return !plainRune(r) })
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:], end > 0
}

func plainRune(r rune) bool {
	return r == '_' || r == '-' || r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Other_Alphabetic, r))
}

// String returns the path in its canonical notation: quotes only where they are needed.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p.steps {
		switch s.kind {
		case stepEvery:
			b.WriteString("[]")
		case stepIndex:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case stepKey:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(quoteKey(s.key))
		}
	}
	return b.String()
}

func quoteKey(key string) string {
	if key != "" && strings.IndexFunc(key, func(r rune) bool { return !plainRune(r) }) < 0 {
		return key
	}
	return `"` + key + `"`
}

// Depth returns how many levels of nesting the path opens: what Set puts at it lies that much deeper.
func (p Path) Depth() int { return len(p.steps) }

// Every returns the path of every element of what p reaches: p + "[]", or p itself if it ends so already.
func (p Path) Every() Path {
	if n := len(p.steps); n > 0 && p.steps[n-1].kind == stepEvery {
		return p
	}
	return Path{append(p.steps[:len(p.steps):len(p.steps)], step{kind: stepEvery})}
}
