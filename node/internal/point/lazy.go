package point

// LazyPayload is a stored payload of which a filter asks for some members, mostly one: these are decoded alone, what stands beside
// them is passed over. Who asks again and again gets the whole decoded once. The bytes must stay as they are.
type LazyPayload struct {
	sealed []byte // nil once its sum was looked at
	body   reader // then
	asked  int    // members asked for so far
	whole  bool   // value is all of it
	value  Payload
	err    error
}

// looksBeforeWhole is how many members are looked for one by one. From then on one map of all is cheaper.
const looksBeforeWhole = 3

// Lazy is the payload that EncodePayload wrote. Nothing is looked at before it is asked for.
func Lazy(b []byte) LazyPayload { return LazyPayload{sealed: b} }

// open looks at the sum, once.
func (l *LazyPayload) open() bool {
	if l.sealed != nil {
		l.body, l.err = unseal("payload", l.sealed, formatVersion)
		l.sealed = nil
	}
	return l.err == nil
}

// Err tells what was found damaged so far. Whatever was shown does not matter then.
func (l *LazyPayload) Err() error { return l.err }

// Value returns the whole payload. An empty one is nil.
func (l *LazyPayload) Value() Payload {
	if !l.whole && l.open() {
		r := l.body
		l.whole, l.value = true, r.payload()
		l.err = r.done()
	}
	return l.value
}

// Member returns the member of a name, as it is in Value.
func (l *LazyPayload) Member(name string) (any, bool) {
	if l.asked++; l.asked > looksBeforeWhole {
		l.Value()
	}
	if l.whole || !l.open() {
		return l.value.Member(name)
	}
	r := l.body
	v, ok := r.member(name)
	l.err = r.err
	return v, ok
}

// member reads an object up to one of its members. What follows it is not looked at.
func (r *reader) member(name string) (v any, ok bool) {
	for range r.count(2) {
		key := r.bytes()
		if r.err != nil || string(key) > name {
			return nil, false
		}
		if string(key) == name {
			return r.value(1), r.err == nil
		}
		r.skip(1)
	}
	return nil, false
}

// skip passes over a value.
func (r *reader) skip(level int) {
	switch r.byte() {
	case tagNull, tagFalse, tagTrue:
	case tagInt:
		r.uint()
	case tagFloat:
		r.take(8)
	case tagString:
		r.bytes()
	case tagArray:
		if r.deeper(level) {
			for n := r.count(1); n > 0 && r.err == nil; n-- {
				r.skip(level + 1)
			}
		}
	case tagObject:
		if r.deeper(level) {
			for n := r.count(2); n > 0 && r.err == nil; n-- {
				r.bytes()
				r.skip(level + 1)
			}
		}
	default:
		r.fail("unknown kind of value")
	}
}
