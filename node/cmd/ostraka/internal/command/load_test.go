package command_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/cmd/ostraka/internal/command"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// jsonl is lines from..to, each a point whose id is its line.
func jsonl(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "{\"id\":%d,\"vector\":[%d,0.5],\"word\":\"w%d\"}\n", i, i, i)
	}
	return b.String()
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		panic(err)
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

// holds checks that the server holds exactly the points 1..n.
func (s *server) holds(t *testing.T, n int) {
	t.Helper()
	if got := s.ids(); len(got) != n {
		t.Errorf("%d points are in, want %d", len(got), n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 1; i <= n; i++ {
		if s.mu.points[fmt.Sprint(i)] == nil {
			t.Errorf("point %d is not in", i)
			return
		}
	}
}

func TestLoadsEveryForm(t *testing.T) {
	text := jsonl(1, 1000)
	for name, file := range map[string]string{
		"plain": write(t, "a.jsonl", text), "zipped": write(t, "a.jsonl.gz", zipped(text)),
		"zipped under another name": write(t, "a.jsonl", zipped(text)),
		"two zips in one":           write(t, "a.gz", zipped(jsonl(1, 400))+zipped(jsonl(401, 1000))),
		"without a last line break": write(t, "b", strings.TrimSuffix(text, "\n")),
		"Windows lines and blanks":  write(t, "c", "\r\n"+strings.ReplaceAll(text, "\n", "\r\n\r\n")+"  \n"),
		"standard input":            "-",
	} {
		s := serverOf(t, "docs")
		sh := shell(t, s)
		sh.in = text
		sh.expect(sh.run("load", "--collection", "docs", file), 0)
		s.holds(t, 1000)
		if !strings.HasPrefix(sh.out.String(), "1,000 points are in docs after") {
			t.Errorf("%s: got %q", name, sh.out.String())
		}
		if s.mu.largest > 256 || s.mu.maxBusy > 4 || s.mu.unwaits > 0 || s.mu.refused > 0 {
			t.Errorf("%s: batches up to %d, %d at once, %d not waited for, %d refused", name, s.mu.largest, s.mu.maxBusy, s.mu.unwaits, s.mu.refused)
		}
	}
}

func TestLoadReadsPoints(t *testing.T) {
	for line, want := range map[string]*qdrant.PointStruct{
		`{"id": 18446744073709551615, "vector": [1, -2.5e0], "n": 1, "f": 1.0, "big": 9007199254740993, "o": {"x": [null, true]}}`: {
			Id: qdrant.NewIDNum(18446744073709551615), Vectors: qdrant.NewVectorsDense([]float32{1, -2.5}),
			Payload: qdrant.NewValueMap(map[string]any{"n": 1, "f": 1.0, "big": int64(9007199254740993), "o": map[string]any{"x": []any{nil, true}}})},
		`{"vectors": {"a": [1], "b": [2, 3]}, "id": "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"}`: {
			Id: qdrant.NewIDUUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), Payload: map[string]*qdrant.Value{},
			Vectors: qdrant.NewVectorsMap(map[string]*qdrant.Vector{"a": qdrant.NewVectorDense([]float32{1}), "b": qdrant.NewVectorDense([]float32{2, 3})})},
		`{"id": 1, "vector": [1], "payload": {"word": "king"}}`: {
			Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsDense([]float32{1}), Payload: qdrant.NewValueMap(map[string]any{"word": "king"})},
		`{"id": 1, "vector": [1], "payload": 5}`: {
			Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsDense([]float32{1}), Payload: qdrant.NewValueMap(map[string]any{"payload": 5})},
		`{"id": 1, "vector": [1], "payload": {"a": 1}, "b": 2}`: {
			Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsDense([]float32{1}), Payload: qdrant.NewValueMap(map[string]any{"payload": map[string]any{"a": 1}, "b": 2})},
	} {
		s := serverOf(t, "docs")
		var got *qdrant.PointStruct
		s.onUpsert = func(_ int, points []*qdrant.PointStruct) error {
			got = points[0]
			return status.Error(codes.PermissionDenied, "seen")
		}
		sh := shell(t, s)
		sh.in = line
		sh.expect(sh.run("load", "--collection", "docs", "-"), 1, "line 1: seen", "nothing is in")
		if !proto.Equal(got, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", line, got, want)
		}
	}
}

func TestAWrongLineIsNamedAndWhatCameBeforeIsIn(t *testing.T) {
	for bad, says := range map[string]string{
		`{"id":301,"vector":[1,2,3]}`:            "line 301: Wrong input: Vector dimension error: expected dim: 2, got 3",
		`{"id":301,"vector":[1,`:                 "line 301: the JSON ends too early",
		`{"id":301,"vector":[1,2]} {}`:           "line 301: there is more behind",
		`[1]`:                                    "line 301: not the JSON that was expected",
		`null`:                                   "line 301: want an object",
		`{"vector":[1,2]}`:                       `line 301: "id" is missing`,
		`{"id":-1,"vector":[1,2]}`:               `line 301: "id" is -1`,
		`{"id":1.5,"vector":[1,2]}`:              `line 301: "id" is 1.5`,
		`{"id":"301","vector":[1,2]}`:            `line 301: "id" is the text "301": write a number without quotes`,
		`{"id":"king","vector":[1,2]}`:           `line 301: "id" is "king"`,
		`{"id":301}`:                             `line 301: "vector" or "vectors" is missing`,
		`{"id":301,"vector":[1,2],"vectors":{}}`: "write one of them",
		`{"id":301,"vector":"x"}`:                `line 301: "vector": want an array of numbers`,
		`{"id":301,"vector":[1,null]}`:           `component 1`,
		`{"id":301,"vector":[1,1e39]}`:           `component 1 is "1e39"`,
		`{"id":301,"vectors":[1]}`:               `"vectors": want an object`,
		`{"id":301,"vector":[1,2],"x":1e999}`:    `line 301: point 301: payload "x"`,
		"\xff\xfe":                               "line 301: not the JSON that was expected",
		"\"" + strings.Repeat("a", command.MaxLineBytes) + "": "line 301: longer than",
	} {
		for _, batch := range []string{"256", "7"} {
			s := serverOf(t, "docs")
			sh := shell(t, s)
			file := write(t, "bad file.jsonl", jsonl(1, 300)+bad+"\n"+jsonl(302, 310))
			sh.expect(sh.run("load", "--collection", "docs", "--batch", batch, file), 1, says,
				"everything up to line 300 is in; to go on: ostraka load --collection docs --from-line 301 '"+file+"'")
			for i := 1; i <= 300; i++ {
				if s.mu.points[fmt.Sprint(i)] == nil {
					t.Fatalf("%s: point %d is not in", says, i)
				}
			}
			if s.mu.points["301"] != nil {
				t.Errorf("%s: the wrong line is in", says)
			}
		}
	}
}

func TestATruncatedFileLoadsWhatIsThere(t *testing.T) {
	whole := zipped(jsonl(1, 5000))
	for _, keep := range []int{len(whole) / 2, len(whole) - 4, 30} {
		s := serverOf(t, "docs")
		sh := shell(t, s)
		code := sh.run("load", "--collection", "docs", write(t, "t.gz", whole[:keep]))
		n := len(s.ids())
		s.holds(t, n)
		sh.expect(code, 1, fmt.Sprintf("line %d: the file ends too early: it is truncated", n+1))
	}
	sh := shell(t, serverOf(t, "docs"))
	sh.expect(sh.run("load", "--collection", "docs", write(t, "t.gz", whole[:5])), 1, "truncated")
}

func TestEverythingBeforeAWrongLineIsInWhateverTheBatches(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		lines := rapid.IntRange(1, 60).Draw(r, "lines")
		bad := rapid.IntRange(1, lines).Draw(r, "bad")
		worse := rapid.IntRange(bad, lines).Draw(r, "worse")
		var text strings.Builder
		for i := 1; i <= lines; i++ {
			if i == bad || i == worse {
				fmt.Fprintf(&text, "{\"id\":%d,\"vector\":[1]}\n", i)
				continue
			}
			text.WriteString(jsonl(i, i))
		}
		s := serverOf(t, "docs")
		sh := shell(t, s)
		sh.in = text.String()
		code := sh.run("load", "--collection", "docs", "--batch", fmt.Sprint(rapid.IntRange(1, 20).Draw(r, "batch")),
			"--parallel", fmt.Sprint(rapid.IntRange(1, 4).Draw(r, "parallel")), "-")
		if code != 1 || !strings.Contains(sh.err.String(), fmt.Sprintf("line %d: Wrong input", bad)) ||
			!strings.Contains(sh.err.String(), fmt.Sprintf("--from-line %d ", bad)) {
			r.Fatalf("exit %d: %s", code, sh.err.String())
		}
		for i := 1; i < bad; i++ {
			if s.mu.points[fmt.Sprint(i)] == nil {
				r.Fatalf("line %d is not in", i)
			}
		}
	})
}

func TestLoadGoesOnAtALine(t *testing.T) {
	s := serverOf(t, "docs")
	sh := shell(t, s)
	file := write(t, "a", jsonl(1, 10))
	sh.expect(sh.run("load", "--collection", "docs", "--from-line", "8", file), 0)
	if got := s.ids(); !reflect.DeepEqual(got, []string{"10", "8", "9"}) {
		t.Errorf("got %v", got)
	}
	sh.expect(sh.run("load", "--collection", "docs", "--from-line", "11", file), 0)
	sh.expect(sh.run("load", "--collection", "docs", "--from-line", "12", file), 1, "the file has only 10 lines")
}

func TestOfTwoLinesWithOneIDTheLaterWins(t *testing.T) {
	for _, batch := range []string{"1", "2", "256"} {
		s := serverOf(t, "docs")
		gate := make(chan struct{})
		s.onUpsert = func(nth int, _ []*qdrant.PointStruct) error {
			if nth == 1 { // others that do not wait for it overtake it
				select {
				case <-gate:
				case <-t.Context().Done():
				}
			}
			if nth == 2 {
				select {
				case <-gate:
				default:
					close(gate)
				}
			}
			return nil
		}
		sh := shell(t, s)
		sh.in = `{"id":1,"vector":[1,0]}` + "\n" + `{"id":2,"vector":[1,0]}` + "\n" + `{"id":1,"vector":[9,0]}` + "\n"
		if batch == "256" || batch == "2" {
			close(gate) // nothing else is in flight while the first is
		}
		sh.expect(sh.run("load", "--collection", "docs", "--batch", batch, "-"), 0)
		if got := s.mu.points["1"].GetVectors().GetVector().GetDense().GetData()[0]; got != 9 {
			t.Errorf("batch %s: the earlier line won", batch)
		}
	}
}

func TestRequestsInFlightAreSeveralButBounded(t *testing.T) {
	s := serverOf(t, "docs")
	var waiting atomic.Int32
	full := make(chan struct{})
	s.onUpsert = func(nth int, _ []*qdrant.PointStruct) error {
		if nth <= 3 { // the first three answer only once three are there
			if waiting.Add(1) == 3 {
				close(full)
			}
			<-full
		}
		return nil
	}
	sh := shell(t, s)
	sh.in = jsonl(1, 500)
	sh.expect(sh.run("load", "--collection", "docs", "--batch", "10", "--parallel", "3", "-"), 0)
	if s.mu.maxBusy != 3 {
		t.Errorf("%d in flight at most, want 3", s.mu.maxBusy)
	}
}

func TestAClusterThatGoesAwayLeavesAPrefix(t *testing.T) {
	s := serverOf(t, "docs")
	s.onUpsert = func(_ int, points []*qdrant.PointStruct) error {
		if points[0].GetId().GetNum() > 50 {
			return status.Error(codes.FailedPrecondition, "needs 2 of 2 replicas, 1 is active")
		}
		return nil
	}
	sh := shell(t, s)
	sh.in = jsonl(1, 200)
	sh.expect(sh.run("load", "--collection", "docs", "--batch", "10", "-"), 1, "lines 51 to 60: needs 2 of 2 replicas", "--from-line 51 -")
	s.holds(t, 50)
}

func TestAnInterruptedLoadSaysHowToGoOn(t *testing.T) {
	s := serverOf(t, "docs")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.onUpsert = func(nth int, _ []*qdrant.PointStruct) error {
		if nth == 3 {
			cancel()
		}
		return nil
	}
	sh := shell(t, s)
	sh.in = jsonl(1, 1000)
	sh.expect(sh.runContext(ctx, "load", "--collection", "docs", "--batch", "10", "--parallel", "1", "-"), 1, "interrupted", "--from-line 21 -")
}

func TestARequestThatIsTooLargeIsHalved(t *testing.T) {
	s := serverOf(t, "docs")
	s.onUpsert = func(_ int, points []*qdrant.PointStruct) error {
		if len(points) > 20 {
			return status.Error(codes.ResourceExhausted, "too large")
		}
		return nil
	}
	sh := shell(t, s)
	sh.in = jsonl(1, 500)
	sh.expect(sh.run("load", "--collection", "docs", "-"), 0)
	s.holds(t, 500)
}

func TestLoadNeedsItsCollection(t *testing.T) {
	sh := shell(t, serverOf(t, "docs"))
	sh.expect(sh.run("load", "--collection", "dogs", write(t, "a", jsonl(1, 1))), 1, `there is no collection "dogs": there are docs`)
	sh = shell(t, serverOf(t, ""))
	sh.expect(sh.run("load", "--collection", "dogs", write(t, "a", jsonl(1, 1))), 1, "the cluster has none yet")
	sh.expect(sh.run("load", "--collection", "dogs", "/nonexistent"), 1, "/nonexistent")
	sh.expect(sh.run("load", "--collection", "dogs", t.TempDir()), 1, "is a folder")
}

func TestAnEmptyFileIsNoError(t *testing.T) {
	s := serverOf(t, "docs")
	sh := shell(t, s)
	sh.expect(sh.run("load", "--collection", "docs", write(t, "a", "\n\n")), 0)
	if s.mu.upserts != 0 || !strings.HasPrefix(sh.out.String(), "0 points") {
		t.Errorf("%d requests: %s", s.mu.upserts, sh.out.String())
	}
}

func FuzzLine(f *testing.F) {
	for _, seed := range []string{
		jsonl(1, 2), zipped(jsonl(1, 2)), `{"id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","vectors":{"a":[1]}}`, `{"id":1,"vector":[1e400]}`,
		`{"id":1,"vector":[1],"payload":{}}`, `{"ID":1}`, "\x1f\x8b", "\x1f\x8b\x08\x00", `{"id":1,"vector":[` + strings.Repeat("[", 100), "\n\n\r\n", "null", `{"id":1e3,"vector":[1]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		last := 0
		for line, p := range command.Points(bytes.NewReader(raw)) {
			if line <= last {
				t.Fatalf("line %d after %d", line, last)
			}
			last = line
			if len(p.Vectors) == 0 && !bytes.Contains(raw, []byte("vectors")) && raw[0] != 0x1f {
				t.Fatalf("a point without vectors: %+v", p)
			}
		}
	})
}
