package ops

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Options say what is shown. Gatherer and Ready are needed.
type Options struct {
	// Title and APIVersion are what HealthCheck tells too: clients in Python read them at "/" when they start, and
	// warn about an API version that is far from their own. An empty APIVersion shows Version in its place.
	Title      string
	APIVersion string
	Version    string // of this program
	Commit     string

	Gatherer prometheus.Gatherer
	// Ready tells why this node cannot serve at this moment; a nil error means that it can.
	Ready  func() error
	Logger hclog.Logger
}

// Handler returns the handler of the HTTP listener:
//
//	/                  title and version as JSON
//	/healthz /livez    200 while the process answers
//	/readyz            200 while the node can serve, else 503 and the reason
//	/metrics           Prometheus
//	anything else      404: the REST API is not built
func Handler(o Options) (http.Handler, error) {
	if o.Gatherer == nil || o.Ready == nil {
		return nil, fault.New(fault.Internal, "ops options: Gatherer and Ready are needed")
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", o.root)
	mux.HandleFunc("GET /healthz", o.alive)
	mux.HandleFunc("GET /livez", o.alive)
	mux.HandleFunc("GET /readyz", o.readiness)
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		ErrorLog: promLogger{o.Logger}, MaxRequestsInFlight: maxScrapes,
	}))
	mux.HandleFunc("/", notBuilt)
	return mux, nil
}

// maxScrapes bounds the metrics requests served at once.
const maxScrapes = 8

func (o Options) root(w http.ResponseWriter, _ *http.Request) {
	shown := map[string]string{"title": o.Title, "version": o.APIVersion, "commit": strings.TrimSpace("ostraka " + o.Version + " " + o.Commit)}
	if o.APIVersion == "" {
		shown["version"] = o.Version
	}
	writeJSON(w, http.StatusOK, shown)
}

func (o Options) alive(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "healthz check passed")
}

func (o Options) readiness(w http.ResponseWriter, _ *http.Request) {
	if err := o.Ready(); err != nil {
		writeText(w, http.StatusServiceUnavailable, fmt.Sprintf("not ready: %v", err))
		return
	}
	writeText(w, http.StatusOK, "all shards are ready")
}

// notBuilt answers in the form of Qdrant's REST errors, so that its clients show the text.
func notBuilt(w http.ResponseWriter, r *http.Request) {
	text := fmt.Sprintf("%s %.256s: the REST API is not built yet; use gRPC (port 6334 by default, prefer_grpc=True in Python)",
		r.Method, r.URL.Path)
	writeJSON(w, http.StatusNotFound, map[string]any{"status": map[string]string{"error": text}, "result": nil, "time": 0.0})
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n")) // the client went away; nobody is left to tell
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // as in writeText
}

// promLogger gives errors of gathering to the log.
type promLogger struct{ logger hclog.Logger }

// Println logs one error.
func (l promLogger) Println(v ...any) {
	l.logger.Error("metrics cannot be gathered", "error", fmt.Sprint(v...))
}

// NewServer returns an HTTP server for the handler that slow or idle clients cannot hold. The caller serves and
// shuts it down.
func NewServer(h http.Handler, logger hclog.Logger) *http.Server {
	if logger == nil {
		logger = hclog.NewNullLogger()
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn}),
	}
}
