package server_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

const metricsDoc = "../../../docs/design/metrics.md"

// row is a metric as the table has it.
type row struct{ kind, labels string }

// described reads the table of metrics.
func described(t *testing.T) map[string]row {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(metricsDoc))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]row{}
	line := regexp.MustCompile("^\\| `(ostraka_[a-z_]+)` \\| ([a-z]+) \\| ([a-z, ]*) ?\\| .+ \\|$")
	for l := range strings.Lines(string(text)) {
		m := line.FindStringSubmatch(strings.TrimSpace(l))
		switch {
		case m != nil:
			rows[m[1]] = row{m[2], strings.TrimSpace(m[3])}
		case strings.HasPrefix(l, "| `ostraka_") && strings.Count(l, " | ") == 3:
			t.Errorf("%s: cannot read the line %q", metricsDoc, l)
		}
	}
	return rows
}

// registered returns the labels of every metric of ours that a node may expose.
func registered(s interface {
	Describe(chan<- *prometheus.Desc)
}) map[string]string {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		s.Describe(descs)
	}()
	all := map[string]string{}
	form := regexp.MustCompile(`fqName: "(ostraka_[a-z_]+)".*variableLabels: \{([^}]*)\}`)
	for d := range descs {
		if m := form.FindStringSubmatch(d.String()); m != nil {
			labels := strings.Split(m[2], ",")
			slices.Sort(labels)
			all[m[1]] = strings.Join(labels, ", ")
		}
	}
	return all
}

func TestTheTableOfMetricsIsWhatANodeExposes(t *testing.T) {
	opts := options(t, t.TempDir())
	addr := opts.Listeners.HTTP.Addr().String()
	s := mustOpen(t, opts)
	defer s.Close()
	rows, has := described(t), registered(s)
	for _, name := range slices.Sorted(maps.Keys(has)) {
		if r, ok := rows[name]; !ok {
			t.Errorf("%s does not tell of %s{%s}", metricsDoc, name, has[name])
		} else if r.labels != has[name] {
			t.Errorf("%s gives %s the labels %q, it has %q", metricsDoc, name, r.labels, has[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if _, ok := has[name]; !ok {
			t.Errorf("%s tells of %s, which no node exposes", metricsDoc, name)
		}
	}
	for name, kind := range exposed(t, addr) {
		if rows[name].kind != kind {
			t.Errorf("%s calls %s a %s, it is a %s", metricsDoc, name, rows[name].kind, kind)
		}
	}
}

// exposed returns the types that a node's /metrics gives.
func exposed(t *testing.T, addr string) map[string]string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for line := range strings.Lines(string(text)) {
		var name, kind string
		if n, _ := fmt.Sscanf(line, "# TYPE %s %s", &name, &kind); n == 2 && strings.HasPrefix(name, "ostraka_") {
			kinds[name] = kind
		}
	}
	if len(kinds) < 10 {
		t.Errorf("only %d metrics are exposed", len(kinds))
	}
	return kinds
}

func TestTheTableOfEventsIsWhatANodeWrites(t *testing.T) {
	source, err := os.ReadFile(filepath.FromSlash("../event/event.go"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.FromSlash(metricsDoc))
	if err != nil {
		t.Fatal(err)
	}
	find := func(text []byte, form string) (all []string) {
		for _, m := range regexp.MustCompile(form).FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		slices.Sort(all)
		return all
	}
	kinds := find(source, `(?m)^\s+[A-Z]\w+\s+Kind\s+= "([a-z_]+)"`)
	told := find(doc, "(?m)^\\| `([a-z_]+)` \\| (?:info|warn|error)")
	if len(kinds) < 10 || !slices.Equal(kinds, told) {
		t.Errorf("%s tells of the events\n%q\nthere are\n%q", metricsDoc, told, kinds)
	}
}
