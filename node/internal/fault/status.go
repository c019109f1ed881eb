package fault

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain marks the google.rpc.ErrorInfo detail that carries a class across the wire.
const Domain = "ostraka"

// classCodes is the one table between classes and gRPC codes. What peers exchange keeps its class by the
// detail; the code is what foreign clients see.
var classCodes = [...]codes.Code{
	Internal: codes.Internal, Invalid: codes.InvalidArgument, NotFound: codes.NotFound, Exists: codes.AlreadyExists,
	FailedPrecondition: codes.FailedPrecondition, Conflict: codes.Aborted, NotPrimary: codes.Unavailable,
	StaleEpoch: codes.Unavailable, Unavailable: codes.Unavailable, Timeout: codes.DeadlineExceeded,
	Exhausted: codes.ResourceExhausted, Unsupported: codes.Unimplemented, Corrupt: codes.DataLoss,
	Unauthenticated: codes.Unauthenticated, Denied: codes.PermissionDenied, Canceled: codes.Canceled,
}

// Code returns the gRPC code of a class.
func (c Class) Code() codes.Code {
	if int(c) < len(classCodes) {
		return classCodes[c]
	}
	return codes.Internal
}

// Status turns err into a gRPC status whose ErrorInfo detail names the class and the hints. A nil err gives OK.
func Status(err error) *status.Status {
	if err == nil {
		return status.New(codes.OK, "")
	}
	return StatusText(err, err.Error())
}

// StatusText is Status with another message, for an edge that words errors for its users.
func StatusText(err error, text string) *status.Status {
	class := ClassOf(err)
	st := status.New(class.Code(), wireText(text))
	info := &errdetails.ErrorInfo{Reason: class.String(), Domain: Domain, Metadata: map[string]string{}}
	for k, v := range Hints(err) {
		info.Metadata[wireText(k)] = wireText(v)
	}
	details := []protoadapt.MessageV1{info}
	if class == Exhausted {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(delayOf(err))})
	}
	detailed, derr := st.WithDetails(details...)
	if derr != nil {
		return st
	}
	return detailed
}

// retryDelay is how long whoever met a limit is asked to wait: long enough for a queue to become shorter.
const retryDelay = time.Second

// delayOf is how long err says to wait, or else the common delay.
func delayOf(err error) time.Duration {
	ms, bad := strconv.ParseInt(Hint(err, hintAfter), 10, 64)
	if bad != nil || ms < 0 || ms > int64(24*time.Hour/time.Millisecond) {
		return retryDelay
	}
	return time.Duration(ms) * time.Millisecond
}

// RetryAfter returns after how long a call that failed with this status may be made again, if the status says so.
func RetryAfter(err error) (time.Duration, bool) {
	st, ok := status.FromError(err)
	if !ok || err == nil {
		return 0, false
	}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// wireText makes any text one that protobuf carries: gRPC drops a whole status, class and all, for one byte that is not
// UTF-8, and errors quote what users sent.
func wireText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// FromStatus turns an error that a gRPC call returned back into an *Error of the class it had. Errors of a
// foreign server get the nearest class of their code.
func FromStatus(err error) error {
	if err == nil {
		return nil
	}
	st, ok := status.FromError(err)
	if !ok {
		return Wrap(ClassOf(err), err, "call")
	}
	for _, d := range st.Details() {
		info, ok := d.(*errdetails.ErrorInfo)
		if !ok || info.GetDomain() != Domain {
			continue
		}
		if c, ok := ParseClass(info.GetReason()); ok {
			return &Error{Class: c, Text: st.Message(), Hints: info.GetMetadata()}
		}
	}
	return &Error{Class: classOfCode(st.Code()), Text: st.Message()}
}

func classOfCode(code codes.Code) Class {
	if code == codes.Unavailable {
		return Unavailable
	}
	for c, k := range classCodes {
		if k == code {
			return Class(c)
		}
	}
	return Internal
}
