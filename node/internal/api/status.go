package api

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// prefix returns how the texts of a class begin in Qdrant's API; clients and scripts look for these words. Classes
// that Qdrant does not have begin with nothing.
func prefix(c fault.Class) string {
	switch c {
	case fault.Invalid, fault.Exists:
		return "Wrong input: "
	case fault.NotFound:
		return "Not found: "
	case fault.FailedPrecondition:
		return "Pre-condition failure: "
	case fault.Internal:
		return "Service internal error: "
	case fault.Timeout:
		return "Timeout: "
	case fault.Denied:
		return "Forbidden: "
	default:
		return ""
	}
}

// statusError words err for the users of Qdrant's API and keeps its class in the status's details. Errors that are
// a status already pass through.
func statusError(err error) error {
	if err == nil {
		return nil
	}
	if isStatus(err) {
		return err
	}
	text := err.Error()
	if p := prefix(fault.ClassOf(err)); !errors.As(err, new(*bodyError)) && !strings.HasPrefix(text, p) {
		text = p + text
	}
	return fault.StatusText(err, text).Err()
}

// isStatus reports whether err itself is a status. One that only wraps a status, such as the failed call to a peer,
// has the class that the wrapping gave it.
func isStatus(err error) bool {
	_, ok := err.(interface{ GRPCStatus() *status.Status })
	return ok
}

// bodyError is a value outside its bounds. Qdrant words these on their own, without the prefix of their class.
type bodyError struct{ cause *fault.Error }

// Error returns the text as users see it.
func (e *bodyError) Error() string { return e.cause.Error() }

// Unwrap gives the classified error, which carries the code.
func (e *bodyError) Unwrap() error { return e.cause }

// invalidBody says that a field's value is outside its bounds.
func invalidBody(field, format string, args ...any) error {
	return &bodyError{fault.New(fault.Invalid, "Validation error in body: [%s: %s]", field, fmt.Sprintf(format, args...))}
}

// invalid is an error of class Invalid.
func invalid(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

// missing names what is not built yet and the place in the request that asked for it.
func missing(noun, place string) error {
	return fault.New(fault.Unsupported, "%s (%s): not built yet", noun, place)
}

// within puts a place before err's text and keeps its class and hints.
func within(err error, format string, args ...any) error {
	out := &fault.Error{Class: fault.ClassOf(err), Text: fmt.Sprintf(format, args...), Cause: err}
	var e *fault.Error
	if errors.As(err, &e) {
		out.Hints = e.Hints
	}
	return out
}
