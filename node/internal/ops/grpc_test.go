package ops_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/ops"
)

func TestRequestsAreCountedByMethodAndCode(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m, err := ops.NewRequests(reg)
	if err != nil {
		t.Fatal(err)
	}
	info := &grpc.UnaryServerInfo{FullMethod: "/s/M"}
	answer := func(err error) {
		_, got := m.Unary(context.Background(), nil, info, func(context.Context, any) (any, error) { return 1, err })
		if !errors.Is(got, err) {
			t.Errorf("the error became %v", got)
		}
	}
	answer(nil)
	answer(nil)
	answer(status.Error(codes.NotFound, "no"))
	want := `
# HELP ostraka_grpc_requests_in_flight Requests being answered.
# TYPE ostraka_grpc_requests_in_flight gauge
ostraka_grpc_requests_in_flight 0
# HELP ostraka_grpc_requests_total Requests answered, by method and gRPC code.
# TYPE ostraka_grpc_requests_total counter
ostraka_grpc_requests_total{code="NotFound",method="/s/M"} 1
ostraka_grpc_requests_total{code="OK",method="/s/M"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "ostraka_grpc_requests_total", "ostraka_grpc_requests_in_flight"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(reg, "ostraka_grpc_request_duration_seconds"); err != nil || n != 1 {
		t.Errorf("%d durations: %v", n, err)
	}
}

func TestRegisteringTwiceIsAnError(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := ops.NewRequests(reg); err != nil {
		t.Fatal(err)
	}
	if _, err := ops.NewRequests(reg); err == nil {
		t.Error("the metrics were registered twice")
	}
}
