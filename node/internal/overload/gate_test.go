package overload_test

import (
	"context"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/overload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	small = "/test.Service/Small"
	large = "/test.Service/Large"
	free  = "/test.Service/Free"
)

// bench is a service whose methods work until they are told to end, behind a gate.
type bench struct {
	t       *testing.T
	reg     *prometheus.Registry
	conn    *grpc.ClientConn
	events  *event.Log
	release chan struct{} // one for each request that may end; closed: all
	begun   atomic.Int64
	most    atomic.Int64
	working atomic.Int64
}

func (b *bench) work(ctx context.Context, decode func(any) error) (any, error) {
	in := new(wrapperspb.BytesValue)
	if err := decode(in); err != nil {
		return nil, err
	}
	b.begun.Add(1)
	if n := b.working.Add(1); n > b.most.Load() {
		b.most.Store(n)
	}
	defer b.working.Add(-1)
	select {
	case <-b.release:
	case <-ctx.Done():
	}
	return &wrapperspb.BytesValue{}, nil
}

func newBench(t *testing.T, limits overload.Limits, m *overload.Memory) *bench {
	t.Helper()
	b := &bench{t: t, reg: prometheus.NewRegistry(), events: event.New(0), release: make(chan struct{})}
	metrics, err := overload.NewMetrics(b.reg)
	if err != nil {
		t.Fatal(err)
	}
	gate, err := overload.NewGate(overload.Options{
		Door: "client", Limits: limits, Metrics: metrics, Events: b.events, Memory: m,
		Exempt: func(m string) bool { return m == free }, Large: func(m string) bool { return m == large }, Adds: func(m string) bool { return m == large },
	})
	if err != nil {
		t.Fatal(err)
	}
	desc := grpc.ServiceDesc{ServiceName: "test.Service", HandlerType: (*any)(nil)}
	for _, name := range []string{"Small", "Large", "Free"} {
		handler := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return b.work(ctx, decode)
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: name, Handler: handler})
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	server.RegisterService(gate.Wrap(&desc), b)
	l := bufconn.Listen(1 << 20)
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	b.conn, err = grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.conn.Close()
		server.Stop()
		<-served
	})
	return b
}

// call makes a request of so many bytes and returns where its error comes.
func (b *bench) call(ctx context.Context, method string, size int, opts ...grpc.CallOption) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- b.conn.Invoke(ctx, method, wrapperspb.Bytes(make([]byte, size)), new(wrapperspb.BytesValue), opts...)
	}()
	return done
}

func (b *bench) refused(reason string) float64 {
	families, err := b.reg.Gather()
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "ostraka_overload_refused_requests_total" && l.GetValue() == reason {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

func bubble(t *testing.T, limits overload.Limits, m *overload.Memory, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newBench(t, limits, m)) })
}

func TestNoMoreIsWorkedOnThanTheLimitAndOthersComeInTurn(t *testing.T) {
	bubble(t, overload.Limits{Requests: 3, Waiting: 100}, nil, func(t *testing.T, b *bench) {
		var all []<-chan error
		for range 20 {
			all = append(all, b.call(t.Context(), small, 10))
		}
		synctest.Wait()
		if n := b.begun.Load(); n != 3 {
			t.Errorf("%d are worked on, want 3", n)
		}
		close(b.release)
		for _, done := range all {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := b.most.Load(); n != 3 || b.begun.Load() != 20 {
			t.Errorf("%d at once, %d in all", n, b.begun.Load())
		}
	})
}

func TestWhoWouldWaitForTooLongIsRefusedWithAHint(t *testing.T) {
	bubble(t, overload.Limits{Requests: 1, Waiting: 1, Patience: 5 * time.Second}, nil, func(t *testing.T, b *bench) {
		first := b.call(t.Context(), small, 10)
		synctest.Wait()
		second := b.call(t.Context(), small, 10)
		synctest.Wait()
		var trailer metadata.MD
		err := <-b.call(t.Context(), small, 10, grpc.Trailer(&trailer))
		if status.Code(err) != codes.ResourceExhausted || !fault.Is(fault.FromStatus(err), fault.Exhausted) {
			t.Fatalf("got %v", err)
		}
		if got := trailer.Get("retry-after"); len(got) != 1 || got[0] != "1" {
			t.Errorf("retry-after %q", got)
		}
		var delay time.Duration
		for _, d := range status.Convert(err).Details() {
			if info, ok := d.(*errdetails.RetryInfo); ok {
				delay = info.GetRetryDelay().AsDuration()
			}
		}
		if delay != time.Second {
			t.Errorf("RetryInfo says %s", delay)
		}
		begun := time.Now()
		if err := <-second; status.Code(err) != codes.ResourceExhausted || time.Since(begun) != 5*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		close(b.release)
		if err := <-first; err != nil || b.begun.Load() != 1 {
			t.Errorf("%v; %d were begun", err, b.begun.Load())
		}
		if b.refused("queue") != 2 || len(b.events.Read(0, 10).Events) != 1 {
			t.Errorf("%v refusals counted, %d events", b.refused("queue"), len(b.events.Read(0, 10).Events))
		}
	})
}

func TestARequestWhoseTimeIsOverCostsNoWork(t *testing.T) {
	bubble(t, overload.Limits{Requests: 1, Waiting: 10, Patience: time.Minute}, nil, func(t *testing.T, b *bench) {
		first := b.call(t.Context(), small, 10)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := <-b.call(ctx, small, 10); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		close(b.release)
		if err := <-first; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := b.begun.Load(); n != 1 || b.refused("late") != 1 {
			t.Errorf("%d were begun, %v refused", n, b.refused("late"))
		}
	})
}

func TestWhatIsExemptPassesBy(t *testing.T) {
	bubble(t, overload.Limits{Requests: 1, Waiting: 1}, nil, func(t *testing.T, b *bench) {
		for range 5 {
			b.call(t.Context(), small, 10)
		}
		synctest.Wait()
		done := b.call(t.Context(), free, 10)
		synctest.Wait()
		if n := b.begun.Load(); n != 2 {
			t.Errorf("%d are worked on, want one and the one that is exempt", n)
		}
		close(b.release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestWhatTakesTooMuchMemoryIsRefusedAndSmallRequestsGoOn(t *testing.T) {
	bubble(t, overload.Limits{Body: 1 << 20, Bodies: 4 << 20}, nil, func(t *testing.T, b *bench) {
		var all []<-chan error
		for range 8 {
			all = append(all, b.call(t.Context(), large, 1<<19))
		}
		synctest.Wait()
		if n := b.begun.Load(); n != 3 { // 2 MiB, of half a MiB and some bytes each
			t.Errorf("%d are worked on, want 3", n)
		}
		smallOne := b.call(t.Context(), small, 100)
		synctest.Wait()
		if n := b.begun.Load(); n != 4 {
			t.Errorf("the small one is not worked on: %d", n)
		}
		close(b.release)
		refused := 0
		for _, done := range all {
			if err := <-done; status.Code(err) == codes.ResourceExhausted {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if err := <-smallOne; err != nil || refused != 5 || b.refused("bytes") != 5 {
			t.Errorf("%v; %d of 8 refused, %v counted", err, refused, b.refused("bytes"))
		}
		if err := <-b.call(t.Context(), large, 1<<19); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// slow sends a body that never comes to its end.
func (b *bench) slow(ctx context.Context) (grpc.ClientStream, error) {
	return b.conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, large)
}

func TestBodiesThatDoNotArriveHoldUpOthersForAWhileOnly(t *testing.T) {
	bubble(t, overload.Limits{Body: 1 << 20, Bodies: 2 << 20, Patience: time.Minute, Arrival: 5 * time.Second}, nil, func(t *testing.T, b *bench) {
		close(b.release)
		stuck, err := b.slow(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := <-b.call(t.Context(), small, 100); err != nil {
			t.Errorf("a small one: %v", err)
		}
		begun := time.Now()
		if err := <-b.call(t.Context(), large, 100); err != nil || time.Since(begun) != 5*time.Second {
			t.Errorf("a large one, after %s: %v", time.Since(begun), err)
		}
		if err := stuck.RecvMsg(new(wrapperspb.BytesValue)); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "smaller batches") {
			t.Errorf("the one that did not arrive: %v", err)
		}
	})
}

func TestAProcessThatTakesTooMuchTakesNoMoreData(t *testing.T) {
	var used atomic.Int64
	m, err := overload.NewMeasuredMemory(1000, used.Load)
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, overload.Limits{}, m, func(t *testing.T, b *bench) {
		close(b.release)
		try := func(method string) error { return <-b.call(t.Context(), method, 10) }
		if err := try(large); err != nil {
			t.Error(err)
		}
		used.Store(1001)
		<-time.After(time.Second)
		if err := try(large); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "no more data") {
			t.Errorf("too much memory: %v", err)
		}
		if err := try(small); err != nil {
			t.Errorf("what adds nothing: %v", err)
		}
		used.Store(999)
		<-time.After(time.Second)
		if err := try(large); err != nil || b.refused("memory") != 1 {
			t.Errorf("freed again: %v; %v refused", err, b.refused("memory"))
		}
	})
}

func TestImpossibleLimitsAreRefused(t *testing.T) {
	metrics, err := overload.NewMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := overload.NewGate(overload.Options{Metrics: metrics, Limits: overload.Limits{Body: 10, Bodies: 19}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
	if _, err := overload.NewGate(overload.Options{}); err == nil {
		t.Error("no metrics, and no error")
	}
}

func TestTheMemoryOfThisProcessIsMeasured(t *testing.T) {
	m, err := overload.NewMemory(0, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	debug.FreeOSMemory() // what was used before would be used again
	before := m.Used()
	held := make([]byte, 64<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	var wg sync.WaitGroup
	var after int64
	wg.Go(func() {
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			if after = m.Used(); after >= before+60<<20 {
				return
			}
		}
	})
	wg.Wait()
	if before <= 0 || after < before+60<<20 || held[0] != 1 {
		t.Errorf("%d bytes before and %d after 64 MiB more", before, after)
	}
	if used, limit, over := m.Over(); over && used <= limit {
		t.Errorf("used %d of %d", used, limit)
	}
}
