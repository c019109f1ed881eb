package ops_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/ops"
)

func options(reason *atomic.Pointer[string]) ops.Options {
	reg := prometheus.NewRegistry()
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ostraka_test_answer_count"}, func() float64 { return 42 }))
	return ops.Options{
		Title: "a title", APIVersion: "1.19.0", Version: "0.1.0", Commit: "abc", Gatherer: reg,
		Ready: func() error {
			if r := reason.Load(); r != nil {
				return errors.New(*r)
			}
			return nil
		},
	}
}

func ask(t *testing.T, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestPaths(t *testing.T) {
	var reason atomic.Pointer[string]
	h, err := ops.Handler(options(&reason))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		code         int
		text         string
	}{
		{"GET", "/healthz", 200, "healthz check passed"},
		{"GET", "/livez", 200, "healthz check passed"},
		{"HEAD", "/livez", 200, ""},
		{"GET", "/readyz", 200, "ready"},
		{"GET", "/metrics", 200, "ostraka_test_answer_count 42"},
		{"GET", "/collections", 404, "REST API is not built"},
		{"PUT", "/collections/a/points", 404, "REST API is not built"},
		{"POST", "/healthz", 404, "use gRPC"},
		{"DELETE", "/", 404, "use gRPC"},
		{"GET", "/..%2f..%2fetc", 404, "use gRPC"},
	} {
		w := ask(t, h, c.method, c.path)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s %s: %d %q, want %d with %q", c.method, c.path, w.Code, w.Body, c.code, c.text)
		}
	}
}

func TestRootTellsTitleAndVersionAsJSON(t *testing.T) {
	var reason atomic.Pointer[string]
	h, err := ops.Handler(options(&reason))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(ask(t, h, "GET", "/").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["title"] != "a title" || got["version"] != "1.19.0" || got["commit"] != "ostraka 0.1.0 abc" {
		t.Errorf("got %v", got)
	}
}

func TestUnknownPathsAnswerAsJSONInTheFormOfErrors(t *testing.T) {
	var reason atomic.Pointer[string]
	h, err := ops.Handler(options(&reason))
	if err != nil {
		t.Fatal(err)
	}
	w := ask(t, h, "GET", "/collections/x")
	var got struct{ Status struct{ Error string } }
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !strings.Contains(got.Status.Error, "/collections/x") {
		t.Errorf("%q: %v", w.Body, err)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type %q", ct)
	}
}

func TestReadinessComesAndGoes(t *testing.T) {
	var reason atomic.Pointer[string]
	h, err := ops.Handler(options(&reason))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		why := "no leader is known"
		reason.Store(&why)
		if w := ask(t, h, "GET", "/readyz"); w.Code != 503 || !strings.Contains(w.Body.String(), why) {
			t.Errorf("not ready: %d %q", w.Code, w.Body)
		}
		if w := ask(t, h, "GET", "/livez"); w.Code != 200 {
			t.Errorf("a node that is not ready is still alive: %d", w.Code)
		}
		reason.Store(nil)
		if w := ask(t, h, "GET", "/readyz"); w.Code != 200 {
			t.Errorf("ready again: %d %q", w.Code, w.Body)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	if _, err := ops.Handler(ops.Options{}); err == nil {
		t.Error("a handler without readiness and metrics was made")
	}
}

func TestServerDropsClientsThatSendNothing(t *testing.T) {
	s := ops.NewServer(http.NotFoundHandler(), nil)
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Fatalf("a timeout is missing: %+v", s)
	}
	s.ReadHeaderTimeout = 20 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("the server kept the connection: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}
