package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Class says what a caller may do about an error. It is the reason of the google.rpc.ErrorInfo that a node attaches;
// for a plain Qdrant it is derived from the gRPC code.
type Class string

// The classes, and what a caller should do about each.
const (
	ClassInternal           Class = "INTERNAL"            // a bug or an unexpected failure: report it
	ClassInvalid            Class = "INVALID"             // the request is wrong: change it
	ClassNotFound           Class = "NOT_FOUND"           // the named thing does not exist
	ClassExists             Class = "EXISTS"              // the named thing exists already
	ClassFailedPrecondition Class = "FAILED_PRECONDITION" // the system's state forbids it: change that first
	ClassConflict           Class = "CONFLICT"            // somebody else changed it first: read again, retry
	ClassNotPrimary         Class = "NOT_PRIMARY"         // the node that was asked does not lead
	ClassStaleEpoch         Class = "STALE_EPOCH"         // the sender's metadata is old
	ClassUnavailable        Class = "UNAVAILABLE"         // nobody can serve it now: retry later
	ClassTimeout            Class = "TIMEOUT"             // the deadline passed; the outcome may be unknown
	ClassExhausted          Class = "EXHAUSTED"           // a limit or a full queue: retry later, slower
	ClassUnsupported        Class = "UNSUPPORTED"         // the server has not got it
	ClassCorrupt            Class = "CORRUPT"             // stored bytes fail their checksum
	ClassUnauthenticated    Class = "UNAUTHENTICATED"     // no or a wrong API key
	ClassDenied             Class = "DENIED"              // the API key does not allow it
	ClassCanceled           Class = "CANCELED"            // the caller gave up
)

// errorDomain marks the ErrorInfo that a node attaches to its errors.
const errorDomain = "ostraka"

// Classes returns every class with the gRPC code from which it is derived when a server attaches no ErrorInfo of ours.
// ClassNotPrimary and ClassStaleEpoch come with codes.Unavailable, which alone means ClassUnavailable.
func Classes() map[Class]codes.Code {
	return map[Class]codes.Code{
		ClassInternal: codes.Internal, ClassInvalid: codes.InvalidArgument, ClassNotFound: codes.NotFound,
		ClassExists: codes.AlreadyExists, ClassFailedPrecondition: codes.FailedPrecondition, ClassConflict: codes.Aborted,
		ClassNotPrimary: codes.Unavailable, ClassStaleEpoch: codes.Unavailable, ClassUnavailable: codes.Unavailable,
		ClassTimeout: codes.DeadlineExceeded, ClassExhausted: codes.ResourceExhausted,
		ClassUnsupported: codes.Unimplemented, ClassCorrupt: codes.DataLoss, ClassUnauthenticated: codes.Unauthenticated,
		ClassDenied: codes.PermissionDenied, ClassCanceled: codes.Canceled,
	}
}

// Error is how every call fails.
type Error struct {
	Class    Class
	Message  string            // as the server worded it, or why it could not be asked
	Endpoint string            // that gave, or failed to give, the last answer
	Method   string            // the gRPC method, such as "qdrant.Collections/Create"
	Hints    map[string]string // for machines, such as "primary"; may be nil

	// MaybeApplied is set on a write that was sent and whose outcome is unknown: it may have been applied, or may
	// be yet. Look before you repeat it (Settle does).
	MaybeApplied bool

	fromNode   bool          // the class stood in an ErrorInfo of ours: the node itself is up
	sent       bool          // the request went out on a connection
	retryAfter time.Duration // as the server asks; 0: it does not
	cause      error         // the context's error, if that ended the call
}

// Error returns the message, the class, and where it comes from.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.MaybeApplied {
		b.WriteString("; the change may have been applied, or may be yet")
	}
	switch {
	case e.Endpoint != "" && e.Method != "":
		fmt.Fprintf(&b, " (%s from %s, %s)", e.Class, e.Endpoint, e.Method)
	default:
		fmt.Fprintf(&b, " (%s)", e.Class)
	}
	return b.String()
}

// Unwrap returns context.Canceled or context.DeadlineExceeded when the caller's context ended the call, else nil.
func (e *Error) Unwrap() error { return e.cause }

// ClassOf returns the class of err: that of the *Error in its chain, ClassUnsupported for ErrNotOstraka, ClassTimeout
// and ClassCanceled for the context's errors, ClassInternal for every other error, "" for nil.
func ClassOf(err error) Class {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Class
	case errors.Is(err, ErrNotOstraka):
		return ClassUnsupported
	case errors.Is(err, context.DeadlineExceeded):
		return ClassTimeout
	case errors.Is(err, context.Canceled):
		return ClassCanceled
	}
	return ClassInternal
}

// IsNotFound reports whether the named thing does not exist.
func IsNotFound(err error) bool { return ClassOf(err) == ClassNotFound }

// IsExists reports whether the named thing exists already.
func IsExists(err error) bool { return ClassOf(err) == ClassExists }

// IsInvalid reports whether the request was wrong.
func IsInvalid(err error) bool { return ClassOf(err) == ClassInvalid }

// IsConflict reports whether somebody else changed the thing first.
func IsConflict(err error) bool { return ClassOf(err) == ClassConflict }

// IsTimeout reports whether a deadline passed.
func IsTimeout(err error) bool { return ClassOf(err) == ClassTimeout }

// IsUnsupported reports whether the server has not got what was asked for.
func IsUnsupported(err error) bool { return ClassOf(err) == ClassUnsupported }

// IsUnavailable reports whether nobody could serve the request just now.
func IsUnavailable(err error) bool {
	switch ClassOf(err) {
	case ClassUnavailable, ClassNotPrimary, ClassStaleEpoch:
		return true
	default:
		return false
	}
}

// IsTransient reports whether the same request may succeed later without anybody changing it. For a write, look at
// MaybeApplied as well.
func IsTransient(err error) bool {
	switch ClassOf(err) {
	case ClassTimeout, ClassExhausted, ClassConflict:
		return true
	default:
		return IsUnavailable(err)
	}
}

// OutcomeUnknown reports whether a write that failed with err may have been applied, or may be yet.
func OutcomeUnknown(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.MaybeApplied
}

// Hint returns a hint of err, or "".
func Hint(err error, key string) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Hints[key]
	}
	return ""
}

// ErrNotOstraka is matched (errors.Is) by the error of the methods that need ostraka.cluster.v1 when the server has
// not got that service. The error itself is a *NotOstrakaError.
var ErrNotOstraka = errors.New("the server is a plain Qdrant")

// NotOstrakaError says which server has no ostraka.cluster.v1.
type NotOstrakaError struct {
	Endpoint string
	Version  string // as the server reports it; may be empty
}

// Error names the endpoint and what follows from it.
func (e *NotOstrakaError) Error() string {
	server := strings.TrimSpace("plain Qdrant " + e.Version)
	return fmt.Sprintf("the server at %s is a %s: it does not serve ostraka.cluster.v1, so peers and placement "+
		"cannot be shown; collections and points can be managed", e.Endpoint, server)
}

// Is makes errors.Is(err, ErrNotOstraka) true.
func (e *NotOstrakaError) Is(target error) bool { return target == ErrNotOstraka }

// errorOf turns what a stub returned into an *Error without endpoint and method.
func errorOf(err error) *Error {
	st, ok := status.FromError(err)
	if !ok {
		return &Error{Class: ClassOf(err), Message: err.Error()}
	}
	for _, detail := range st.Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != errorDomain {
			continue
		}
		if _, known := Classes()[Class(info.GetReason())]; known {
			return &Error{Class: Class(info.GetReason()), Message: st.Message(), Hints: info.GetMetadata(), fromNode: true}
		}
	}
	return &Error{Class: classOfCode(st.Code()), Message: st.Message()}
}

func classOfCode(code codes.Code) Class {
	switch code {
	case codes.Unavailable:
		return ClassUnavailable
	case codes.OutOfRange:
		return ClassInvalid
	default:
	}
	for class, c := range Classes() {
		if c == code {
			return class
		}
	}
	return ClassInternal
}

// named gives an error that was made before sending the method's name.
func named(err error, op operation) error {
	var e *Error
	if errors.As(err, &e) {
		e.Method = op.method
	}
	return err
}
