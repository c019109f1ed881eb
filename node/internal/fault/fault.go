// Package fault owns the classes of error that decide behaviour, and their form on the wire.
//
// Every error that crosses a package border for a caller to act on carries a Class. The class survives a
// gRPC hop (Status and FromStatus), so that a coordinator can tell a fenced primary from a bad request, and
// never by comparing texts. The package never logs and holds no state.
package fault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// Class says what a caller may do about an error.
type Class uint8

// The classes, and what a caller should do about each.
const (
	Internal           Class = iota // our bug or an unexpected failure: report it
	Invalid                         // the request is wrong: change it
	NotFound                        // the named thing does not exist
	Exists                          // the named thing exists already
	FailedPrecondition              // the system's state forbids it: change that first (too few replicas, protected)
	Conflict                        // somebody else changed it first: read again, retry
	NotPrimary                      // this replica does not lead: hint "primary" and "term" may name the one that does
	StaleEpoch                      // the sender's metadata is older than the receiver's: refresh, retry
	Unavailable                     // nobody can serve it now: retry later, elsewhere
	Timeout                         // the deadline passed; the outcome may be unknown, the text says so
	Exhausted                       // a limit or a full queue: retry later, slower
	Unsupported                     // not built: the text names what is missing
	Corrupt                         // stored bytes fail their checksum
	Unauthenticated                 // no or a wrong credential
	Denied                          // the credential does not allow it
	Canceled                        // the caller gave up
)

var classNames = [...]string{
	"INTERNAL", "INVALID", "NOT_FOUND", "EXISTS", "FAILED_PRECONDITION", "CONFLICT", "NOT_PRIMARY", "STALE_EPOCH",
	"UNAVAILABLE", "TIMEOUT", "EXHAUSTED", "UNSUPPORTED", "CORRUPT", "UNAUTHENTICATED", "DENIED", "CANCELED",
}

// String returns the class's name on the wire.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "INTERNAL"
}

// ParseClass returns the class of that wire name, or Internal and false.
func ParseClass(name string) (Class, bool) {
	for i, n := range classNames {
		if n == name {
			return Class(i), true
		}
	}
	return Internal, false
}

// Error is an error with a class, and hints that a machine may use (such as "primary").
type Error struct {
	Class Class
	Text  string
	Hints map[string]string
	Cause error
}

// Error returns the text, followed by the cause's when there is one.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Text + ": " + e.Cause.Error()
	}
	return e.Text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of a class.
func New(c Class, format string, args ...any) *Error {
	return &Error{Class: c, Text: fmt.Sprintf(format, args...)}
}

// Wrap gives cause a class and a context. It returns nil for a nil cause.
func Wrap(c Class, cause error, format string, args ...any) error {
	if cause == nil {
		return nil
	}
	return &Error{Class: c, Text: fmt.Sprintf(format, args...), Cause: cause}
}

// With returns a copy of e that carries one more hint.
func (e *Error) With(key, value string) *Error {
	c := *e
	c.Hints = maps.Clone(e.Hints)
	if c.Hints == nil {
		c.Hints = map[string]string{}
	}
	c.Hints[key] = value
	return &c
}

// ClassOf returns the class of err: that of the outermost *Error in its chain, Timeout and Canceled for the
// context's errors, and Internal for everything else.
func ClassOf(err error) Class {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Class
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Canceled
	}
	return Internal
}

// Is reports whether err has class c. It is false for a nil err.
func Is(err error, c Class) bool { return err != nil && ClassOf(err) == c }

// Hint returns the value of a hint anywhere in err's chain, or "". The outermost counts.
func Hint(err error, key string) string {
	if err == nil {
		return ""
	}
	return Hints(err)[key]
}

// Hints returns all hints in err's chain; of a key that occurs twice, the outermost counts.
func Hints(err error) map[string]string {
	var all map[string]string
	var e *Error
	for errors.As(err, &e) {
		if all == nil {
			all = make(map[string]string, len(e.Hints))
		}
		for k, v := range e.Hints {
			if _, ok := all[k]; !ok {
				all[k] = v
			}
		}
		err = e.Cause
	}
	return all
}

// hintAfter is the hint that says in how many milliseconds to come again.
const hintAfter = "retry_after_ms"

// After returns a copy of e that says when to come again.
func (e *Error) After(wait time.Duration) *Error {
	return e.With(hintAfter, strconv.FormatInt(int64((wait+time.Millisecond-1)/time.Millisecond), 10))
}

// HintOutcome tells whether a failed write may still take effect; its only value is OutcomeUnknown. Without it a
// write that failed with NotPrimary, StaleEpoch, Unavailable, Exhausted or FailedPrecondition was surely not applied.
const (
	HintOutcome    = "outcome"
	OutcomeUnknown = "unknown"
)
