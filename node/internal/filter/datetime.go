package filter

import (
	"strings"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func (r *DatetimeRange) compile() (func(any) bool, error) {
	for _, bound := range []*time.Time{r.LT, r.GT, r.GTE, r.LTE} {
		if bound != nil && (bound.UTC().Year() < 0 || bound.UTC().Year() > 9999) {
			return nil, fault.New(fault.Invalid, "datetime_range: the year %d is not one of 0..9999", bound.UTC().Year())
		}
	}
	bounds := *r
	return func(v any) bool {
		s, ok := v.(string)
		if !ok {
			return false
		}
		t, ok := ParseDatetime(s)
		return ok && within(t, bounds.LT, bounds.GT, bounds.GTE, bounds.LTE, time.Time.Compare)
	}, nil
}

// ParseDatetime reads the forms of a moment that datetime_range finds in payloads: a date (YYYY-MM-DD), then optionally
// "T" or a space and a time (HH:MM, HH:MM:SS, or with a fraction), then optionally a zone, which a space may precede
// (Z, UTC, +HH:MM, +HHMM or +HH; UTC if left out). It allocates nothing. Digits beyond nanoseconds are dropped.
func ParseDatetime(s string) (time.Time, bool) {
	p := datetimeParser{rest: s}
	year := p.digits(4)
	p.expect('-')
	month := p.digits(2)
	p.expect('-')
	day := p.digits(2)
	var hour, minute, second, nanos int
	var offset time.Duration
	if p.rest != "" {
		hour, minute, second, nanos = p.clock()
		offset = p.zone()
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	dated := month >= 1 && month <= 12 && day >= 1 && day <= 31 && sameDay(year, month, day)
	return t.Add(-offset), !p.bad && p.rest == "" && dated
}

// sameDay reports whether the month has the day: time.Date would carry over to the next.
func sameDay(year, month, day int) bool {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() == day
}

// datetimeParser takes parts off the front of rest; bad sticks.
type datetimeParser struct {
	rest string
	bad  bool
}

func (p *datetimeParser) digits(n int) (v int) {
	if len(p.rest) < n {
		p.bad = true
		return 0
	}
	for i := range n {
		c := p.rest[i]
		p.bad = p.bad || c < '0' || c > '9'
		v = v*10 + int(c-'0')
	}
	p.rest = p.rest[n:]
	return v
}

// expect takes one of the bytes of a set.
func (p *datetimeParser) expect(set ...byte) {
	for _, c := range set {
		if p.take(c) {
			return
		}
	}
	p.bad = true
}

func (p *datetimeParser) take(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// clock takes a time of day. A leap second (60) is the first of the next minute.
func (p *datetimeParser) clock() (hour, minute, second, nanos int) {
	p.expect('T', 't', ' ')
	hour = p.digits(2)
	p.expect(':')
	minute = p.digits(2)
	if p.take(':') {
		second = p.digits(2)
		if p.take('.') {
			nanos = p.fraction()
		}
	}
	p.bad = p.bad || hour > 23 || minute > 59 || second > 60
	return hour, minute, second, nanos
}

func (p *datetimeParser) fraction() (nanos int) {
	n := 0
	for ; n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9'; n++ {
		if n < 9 {
			nanos = nanos*10 + int(p.rest[n]-'0')
		}
	}
	p.rest, p.bad = p.rest[n:], p.bad || n == 0
	for ; n < 9; n++ {
		nanos *= 10
	}
	return nanos
}

func (p *datetimeParser) zone() time.Duration {
	spaced := p.take(' ')
	if rest, ok := strings.CutPrefix(p.rest, "UTC"); ok {
		p.rest = rest
		return 0
	}
	if p.rest == "" && !spaced || p.take('Z') || p.take('z') {
		return 0
	}
	west := p.take('-')
	if !west {
		p.expect('+')
	}
	hours, minutes := p.digits(2), 0
	if p.take(':') || p.rest != "" {
		minutes = p.digits(2)
	}
	p.bad = p.bad || hours > 23 || minutes > 59
	offset := time.Duration(hours*60+minutes) * time.Minute
	if west {
		return -offset
	}
	return offset
}
