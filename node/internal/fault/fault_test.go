package fault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// classes and the code that foreign clients see for each. Peers of other versions read these names: they stay.
var classes = []struct {
	class fault.Class
	name  string
	code  codes.Code
}{
	{fault.Internal, "INTERNAL", codes.Internal}, {fault.Invalid, "INVALID", codes.InvalidArgument},
	{fault.NotFound, "NOT_FOUND", codes.NotFound}, {fault.Exists, "EXISTS", codes.AlreadyExists},
	{fault.FailedPrecondition, "FAILED_PRECONDITION", codes.FailedPrecondition},
	{fault.Conflict, "CONFLICT", codes.Aborted}, {fault.NotPrimary, "NOT_PRIMARY", codes.Unavailable},
	{fault.StaleEpoch, "STALE_EPOCH", codes.Unavailable}, {fault.Unavailable, "UNAVAILABLE", codes.Unavailable},
	{fault.Timeout, "TIMEOUT", codes.DeadlineExceeded}, {fault.Exhausted, "EXHAUSTED", codes.ResourceExhausted},
	{fault.Unsupported, "UNSUPPORTED", codes.Unimplemented}, {fault.Corrupt, "CORRUPT", codes.DataLoss},
	{fault.Unauthenticated, "UNAUTHENTICATED", codes.Unauthenticated}, {fault.Denied, "DENIED", codes.PermissionDenied},
	{fault.Canceled, "CANCELED", codes.Canceled},
}

func TestEveryClassHasANameAndACode(t *testing.T) {
	for i, c := range classes {
		if int(c.class) != i || c.class.String() != c.name || c.class.Code() != c.code {
			t.Errorf("class %d: %v, %v", i, c.class, c.class.Code())
		}
		if got, ok := fault.ParseClass(c.name); got != c.class || !ok {
			t.Errorf("%s: parsed as %v, %v", c.name, got, ok)
		}
	}
	beyond := fault.Class(len(classes))
	if beyond.String() != "INTERNAL" || beyond.Code() != codes.Internal {
		t.Error("a class was added: add it to this table")
	}
	if got, ok := fault.ParseClass("no such"); got != fault.Internal || ok {
		t.Errorf("got %v, %v", got, ok)
	}
}

func TestClassTextAndHintsSurviveTheWire(t *testing.T) {
	for _, c := range classes {
		sent := fault.New(c.class, "shard %d", 3).With("primary", "7").With("term", "12")
		st := fault.Status(fmt.Errorf("write: %w", sent))
		if st.Code() != c.code {
			t.Errorf("%v: code %v", c.class, st.Code())
		}
		got := fault.FromStatus(st.Err())
		if !fault.Is(got, c.class) || got.Error() != "write: shard 3" {
			t.Errorf("%v: came back as %v: %v", c.class, fault.ClassOf(got), got)
		}
		if fault.Hint(got, "primary") != "7" || fault.Hint(got, "term") != "12" || fault.Hint(got, "zone") != "" {
			t.Errorf("%v: hints %q, %q", c.class, fault.Hint(got, "primary"), fault.Hint(got, "term"))
		}
		again := fault.FromStatus(fault.Status(got).Err()) // a second hop
		if !fault.Is(again, c.class) || fault.Hint(again, "primary") != "7" {
			t.Errorf("%v: second hop: %v", c.class, again)
		}
	}
}

func TestAnEdgeMayWordErrorsAnew(t *testing.T) {
	st := fault.StatusText(fault.New(fault.NotFound, "x").With("k", "v"), "Not found: x")
	got := fault.FromStatus(st.Err())
	if st.Message() != "Not found: x" || !fault.Is(got, fault.NotFound) || fault.Hint(got, "k") != "v" {
		t.Errorf("got %v", got)
	}
}

func TestBytesThatAreNotTextDoNotCostTheClass(t *testing.T) {
	st := fault.Status(fault.New(fault.NotPrimary, "name \xff").With("primary", "\xfe"))
	if _, err := proto.Marshal(st.Proto()); err != nil {
		t.Fatal(err)
	}
	got := fault.FromStatus(st.Err())
	if !fault.Is(got, fault.NotPrimary) || got.Error() != "name \uFFFD" || fault.Hint(got, "primary") != "\uFFFD" {
		t.Errorf("got %v, hint %q", got, fault.Hint(got, "primary"))
	}
}

func TestNoErrorIsNoError(t *testing.T) {
	if fault.Status(nil).Code() != codes.OK || fault.FromStatus(nil) != nil || fault.Wrap(fault.Invalid, nil, "x") != nil {
		t.Error("nil became an error")
	}
	if fault.Is(nil, fault.Internal) || fault.Hint(nil, "k") != "" {
		t.Error("nil has a class or a hint")
	}
}

func TestTheOutermostClassCounts(t *testing.T) {
	inner := fault.New(fault.NotFound, "point 1").With("id", "1")
	outer := fault.Wrap(fault.Invalid, fmt.Errorf("op 2: %w", inner), "batch")
	wrapped := fmt.Errorf("upsert: %w", outer)
	if got := fault.ClassOf(wrapped); got != fault.Invalid {
		t.Errorf("class %v", got)
	}
	if wrapped.Error() != "upsert: batch: op 2: point 1" {
		t.Errorf("text %q", wrapped)
	}
	if fault.Hint(wrapped, "id") != "1" {
		t.Error("the hint of the inner error is lost")
	}
	if !errors.Is(wrapped, inner) {
		t.Error("the cause is not in the chain")
	}
}

func TestHintsOfTheWholeChainSurviveTheWire(t *testing.T) {
	inner := fault.New(fault.NotPrimary, "fenced").With("primary", "7").With("term", "1")
	outer := &fault.Error{Class: fault.Unavailable, Text: "write", Cause: inner, Hints: map[string]string{"term": "2"}}
	got := fault.FromStatus(fault.Status(outer).Err())
	if fault.Hint(got, "primary") != "7" || fault.Hint(got, "term") != "2" {
		t.Errorf("primary %q, term %q", fault.Hint(got, "primary"), fault.Hint(got, "term"))
	}
}

func TestForeignErrorsGetTheNearestClass(t *testing.T) {
	for _, c := range []struct {
		err  error
		want fault.Class
	}{
		{errors.New("x"), fault.Internal},
		{context.Canceled, fault.Canceled}, {fmt.Errorf("x: %w", context.Canceled), fault.Canceled},
		{context.DeadlineExceeded, fault.Timeout},
		{fault.Wrap(fault.Unavailable, context.Canceled, "x"), fault.Unavailable},
	} {
		if got := fault.ClassOf(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
	for code, want := range map[codes.Code]fault.Class{
		codes.Unavailable: fault.Unavailable, codes.NotFound: fault.NotFound, codes.Unknown: fault.Internal,
		codes.OutOfRange: fault.Internal, codes.Aborted: fault.Conflict, codes.DeadlineExceeded: fault.Timeout,
	} {
		if got := fault.FromStatus(status.Error(code, "x")); !fault.Is(got, want) || got.Error() != "x" {
			t.Errorf("%v: %v (%v)", code, fault.ClassOf(got), got)
		}
	}
	if got := fault.FromStatus(errors.New("plain")); !fault.Is(got, fault.Internal) {
		t.Errorf("no status: %v", got)
	}
	if got := fault.FromStatus(context.Canceled); !fault.Is(got, fault.Canceled) {
		t.Errorf("the context's own error: %v", got)
	}
}

func TestDetailsOfOthersAndUnknownReasonsFallBackToTheCode(t *testing.T) {
	for name, info := range map[string]*errdetails.ErrorInfo{
		"foreign domain": {Reason: "INVALID", Domain: "example.com"},
		"unknown reason": {Reason: "FROM_THE_FUTURE", Domain: fault.Domain},
	} {
		st, err := status.New(codes.NotFound, "x").WithDetails(info)
		if err != nil {
			t.Fatal(err)
		}
		if got := fault.FromStatus(st.Err()); !fault.Is(got, fault.NotFound) {
			t.Errorf("%s: %v", name, fault.ClassOf(got))
		}
	}
}

func TestWithLeavesTheOriginalAlone(t *testing.T) {
	base := fault.New(fault.NotPrimary, "x").With("a", "1")
	more := base.With("a", "2").With("b", "3")
	if !maps.Equal(base.Hints, map[string]string{"a": "1"}) || !maps.Equal(more.Hints, map[string]string{"a": "2", "b": "3"}) {
		t.Errorf("base %v, more %v", base.Hints, more.Hints)
	}
}
