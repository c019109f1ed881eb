package point_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func parse(t testing.TB, text string) point.Path {
	t.Helper()
	p, err := point.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func payload(t testing.TB, text string) point.Payload {
	t.Helper()
	p, err := point.FromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func text(t testing.TB, v any) string {
	t.Helper()
	b, err := point.ValueToJSON(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPathsAreWrittenInTheirCanonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "a.b": "a.b", "a[].b": "a[].b", "a[0].b[12]": "a[0].b[12]", `"a"`: "a", `"a b".c`: `"a b".c`,
		`"x.y"[]`: `"x.y"[]`, `""`: `""`, `a.""`: `a.""`, "foo-bar_1": "foo-bar_1", "größe.名前": "größe.名前",
		"a[][]": "a[][]", "a[007]": "a[7]", `"a[]"`: `"a[]"`,
	} {
		got, err := point.ParsePath(in)
		if err != nil || got.String() != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", ".", "a.", ".a", "a..b", "a b", "a[", "a]", "a[b]", "a[-1]", "a[+1]", "a[0", "[0]", "[]", "a[0]b", `"a`, `a"b"`,
		`"a\"b"`, `"a\b"`, "a$", "a/b", "a[99999999999]", "a\xff", "\"\xff\"", "a.[0]", "\uFFFD", "a[]]",
	} {
		if got, err := point.ParsePath(in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{strings.Repeat("a.", point.MaxDepth) + "a", strings.Repeat("a", point.MaxPathBytes+1)} {
		if _, err := point.ParsePath(in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%d bytes: %v", len(in), err)
		}
	}
}

func TestValuesAreWhatAPathReaches(t *testing.T) {
	p := payload(t, `{"a":{"b":{"c":1}},"n":null,"g":["g0","g1",["g2"]],"":{"":0},
		"arr":[{"x":[1,2]},{"x":4},{"y":5},6],"deep":[{"in":[{"v":1}]},{"in":[{"v":2},{"v":3}]}]}`)
	for path, want := range map[string]string{
		"a.b": `[{"c":1}]`, "a.b.c": `[1]`, "a.b.c.d": `[]`, "z": `[]`, "n": `[null]`, "g": `[["g0","g1",["g2"]]]`,
		"g[]": `["g0","g1",["g2"]]`, "g[1]": `["g1"]`, "g[3]": `[]`, "g[][]": `["g2"]`, "g.x": `[]`, "a[]": `[]`, "a[0]": `[]`,
		"arr[].x": `[[1,2],4]`, "arr[].x[]": `[1,2]`, "arr.x": `[]`, "arr[0].x[1]": `[2]`, "deep[].in[].v": `[1,2,3]`, `"".""`: `[0]`,
	} {
		got := slices.AppendSeq([]any{}, parse(t, path).Values(p))
		if text(t, got) != want {
			t.Errorf("%s: got %s, want %s", path, text(t, got), want)
		}
	}
	for v := range parse(t, "g[]").Values(p) {
		if v != "g0" {
			t.Error("the loop went on after break")
		}
		break
	}
	if passed, reached := (point.Path{}).Any(p, func(any) bool { return true }); passed || reached {
		t.Error("the zero path reaches something")
	}
}

func TestAnyReachesWithoutAllocating(t *testing.T) {
	p, path := payload(t, `{"a":[{"b":1},{"b":2}]}`), parse(t, "a[].b")
	var passed, reached bool
	if n := testing.AllocsPerRun(50, func() {
		passed, reached = path.Any(p, func(v any) bool { return v == any(int64(2)) })
	}); n != 0 || !passed || !reached {
		t.Errorf("%v allocations, passed %v, reached %v", n, passed, reached)
	}
}

func TestSetMergesAsQdrantDoes(t *testing.T) {
	for _, c := range []struct{ before, path, src, want string }{
		{`{"a":1,"b":2}`, ``, `{"b":3,"c":{}}`, `{"a":1,"b":3,"c":{}}`},
		{`{"a":1,"b":2}`, ``, `{"b":null,"c":null}`, `{"a":1}`},
		{`{"a":{"x":1}}`, ``, `{"a":{"y":2}}`, `{"a":{"y":2}}`},
		{`{"a":{"x":1}}`, `a`, `{"y":2}`, `{"a":{"x":1,"y":2}}`},
		{`{}`, `a.b.c`, `{"y":2}`, `{"a":{"b":{"c":{"y":2}}}}`},
		{`{"a":5}`, `a`, `{"y":2}`, `{"a":{"y":2}}`},
		{`{"a":5}`, `a.b`, `{"y":2}`, `{"a":{"b":{"y":2}}}`},
		{`{"a":{"b":null}}`, `a.b`, `{"y":2}`, `{"a":{"b":{"y":2}}}`},
		{`{"a":[{"x":1},{"x":2}]}`, `a[]`, `{"y":0}`, `{"a":[{"x":1,"y":0},{"x":2,"y":0}]}`},
		{`{"a":[{"x":1},{"x":2}]}`, `a[1]`, `{"x":null}`, `{"a":[{"x":1},{}]}`},
		{`{"a":[{"x":1}]}`, `a[1]`, `{"y":0}`, `{"a":[{"x":1}]}`},
		{`{"a":[1,[2]]}`, `a[]`, `{"y":0}`, `{"a":[{"y":0},{"y":0}]}`},
		{`{"a":[{"b":[{}]}]}`, `a[].b[0].c`, `{"y":0}`, `{"a":[{"b":[{"c":{"y":0}}]}]}`},
		{`{"a":{"x":1}}`, `a[]`, `{"y":0}`, `{"a":[]}`},
		{`{}`, `a[0].b`, `{"y":0}`, `{"a":[]}`},
	} {
		got, src := payload(t, c.before), payload(t, c.src)
		if c.path == "" {
			got = point.Merge(got, src)
		} else {
			got = parse(t, c.path).Set(got, src)
		}
		if text(t, map[string]any(got)) != c.want {
			t.Errorf("%s, set %s to %s: got %s", c.before, c.path, c.src, text(t, map[string]any(got)))
		}
	}
}

func TestSetStartsFromNothingAndSharesNothing(t *testing.T) {
	src := payload(t, `{"list":[{"x":1}]}`)
	for name, got := range map[string]point.Payload{
		"merge": point.Merge(nil, src), "set": parse(t, "a").Set(nil, src)["a"].(map[string]any),
		"replace": parse(t, "a").Replace(nil, src)["a"].(map[string]any), "clone": src.Clone(),
	} {
		parse(t, "list[]").Set(got, point.Payload{"x": int64(2)})
		if text(t, map[string]any(src)) != `{"list":[{"x":1}]}` {
			t.Fatalf("%s shares memory with its source", name)
		}
	}
	v := point.Vectors{"": {1}}
	v.Clone()[""][0] = 2
	if v[""][0] != 1 || point.Vectors(nil).Clone() != nil {
		t.Error("cloned vectors share memory")
	}
}

func TestReplacePutsAPayloadInPlace(t *testing.T) {
	for _, c := range []struct{ before, path, want string }{
		{`{"a":{"x":1},"b":2}`, `a`, `{"a":{"new":null},"b":2}`},
		{`{"a":[1,{"x":1}]}`, `a[1]`, `{"a":[1,{"new":null}]}`},
		{`{}`, `a.b`, `{"a":{"b":{"new":null}}}`},
	} {
		got := parse(t, c.path).Replace(payload(t, c.before), point.Payload{"new": nil})
		if text(t, map[string]any(got)) != c.want {
			t.Errorf("%s at %s: got %s", c.before, c.path, text(t, map[string]any(got)))
		}
	}
}

func TestDeleteRemovesWhatAPathReaches(t *testing.T) {
	for _, c := range []struct{ before, path, want string }{
		{`{"a":1,"b":2}`, `a`, `{"b":2}`}, {`{"a":1}`, `z`, `{"a":1}`}, {`{"a":{"b":1,"c":2}}`, `a.b`, `{"a":{"c":2}}`},
		{`{"a":1}`, `a.b`, `{"a":1}`}, {`{"a":[{"b":1,"c":2},{"b":3}]}`, `a[].b`, `{"a":[{"c":2},{}]}`},
		{`{"a":[{"b":1},{"b":3}]}`, `a[1].b`, `{"a":[{"b":1},{}]}`}, {`{"a":[1,2]}`, `a[]`, `{"a":[]}`},
		{`{"a":[1,2]}`, `a[0]`, `{"a":[1,2]}`}, {`{"a":[[1],[2]]}`, `a[][]`, `{"a":[[],[]]}`},
		{`{"a":{"b":1}}`, `a[]`, `{"a":{"b":1}}`}, {`{"a":[{"b":1}]}`, `a.b`, `{"a":[{"b":1}]}`}, {`{}`, `a.b`, `{}`},
		{`{"a":[{"b":[1]}]}`, `a[0].b[]`, `{"a":[{"b":[]}]}`}, {`{"a":null}`, `a`, `{}`},
	} {
		got := payload(t, c.before)
		parse(t, c.path).Delete(got)
		if text(t, map[string]any(got)) != c.want {
			t.Errorf("%s without %s: got %s", c.before, c.path, text(t, map[string]any(got)))
		}
		parse(t, c.path).Delete(got)
		if text(t, map[string]any(got)) != c.want {
			t.Errorf("%s without %s: deleting again gave %s", c.before, c.path, text(t, map[string]any(got)))
		}
	}
	parse(t, "a").Delete(nil)
}

func TestProjectionsPickParts(t *testing.T) {
	before := `{"a":{"b":1,"c":{"d":2,"e":3}},"arr":[{"x":1,"y":2},{"x":3},4],"s":5}`
	list := func(s ...string) []string { return s }
	for _, c := range []struct {
		include, exclude []string
		want             string
	}{
		{nil, nil, before},
		{list("s"), nil, `{"s":5}`},
		{list("a.c.d", "s"), nil, `{"a":{"c":{"d":2}},"s":5}`},
		{list("a.z"), nil, `{"a":{}}`},
		{list("z"), nil, `{}`},
		{list("s.z"), nil, `{"s":5}`},
		{list("arr[].x"), nil, `{"arr":[{"x":1},{"x":3},4]}`},
		{list("arr[0].x"), nil, `{"arr":[{"x":1}]}`},
		{list("arr.x"), nil, `{"arr":[]}`},
		{nil, list("a"), `{"arr":[{"x":1,"y":2},{"x":3},4],"s":5}`},
		{nil, list("a.c.d", "arr[].y"), `{"a":{"b":1,"c":{"e":3}},"arr":[{"x":1},{"x":3},4],"s":5}`},
		{nil, list("a.z", "z", "s.t"), before},
		{nil, list("arr[]"), `{"a":{"b":1,"c":{"d":2,"e":3}},"arr":[],"s":5}`},
		{nil, list("arr[2]"), `{"a":{"b":1,"c":{"d":2,"e":3}},"arr":[{"x":1,"y":2},{"x":3}],"s":5}`},
		{list("a"), list("a.c"), `{"a":{"b":1}}`},
	} {
		pr, err := point.NewProjection(c.include, c.exclude)
		if err != nil {
			t.Fatal(err)
		}
		p := payload(t, before)
		if got := text(t, map[string]any(pr.Apply(p))); got != c.want {
			t.Errorf("include %v, exclude %v: got %s, want %s", c.include, c.exclude, got, c.want)
		}
		if got := text(t, map[string]any(p)); got != before {
			t.Errorf("include %v, exclude %v changed the payload to %s", c.include, c.exclude, got)
		}
	}
	for _, bad := range [][2][]string{{list("a", "..")}, {nil, list("[")}, {slices.Repeat(list("a"), point.MaxProjectionPaths), list("b")}} {
		if _, err := point.NewProjection(bad[0], bad[1]); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestEveryEndsInBracketsOnce(t *testing.T) {
	base := parse(t, "a.b")
	if one, two := base.Every(), base.Every().Every(); one.String() != "a.b[]" || two.String() != "a.b[]" || base.String() != "a.b" {
		t.Errorf("got %v and %v of %v", one, two, base)
	}
}

// paths makes paths over the keys that payloads makes often.
func paths() *rapid.Generator[point.Path] {
	return rapid.Custom(func(t *rapid.T) point.Path {
		s := rapid.SampledFrom([]string{"a", "b", "c", `"a b"`, `""`}).Draw(t, "key")
		for range rapid.IntRange(0, 3).Draw(t, "steps") {
			s += rapid.SampledFrom([]string{".a", ".b", ".c", "[]", "[0]", "[1]", `."x.y"`}).Draw(t, "step")
		}
		p, err := point.ParsePath(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	})
}

func TestWhatIsSetIsReached(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, path := payloads().Draw(t, "payload").Clone(), paths().Draw(t, "path")
		src := point.Payload{"set": rapid.Int64().Draw(t, "value")}
		p = path.Set(p, src)
		for v := range path.Values(p) {
			if m, ok := v.(map[string]any); !ok || m["set"] != src["set"] {
				t.Fatalf("%v reaches %v", path, v)
			}
		}
		if before := p.Clone(); !reflect.DeepEqual(path.Set(p, src), before) {
			t.Fatal("setting again changed something")
		}
		path.Delete(p)
		if s := path.String(); !strings.HasSuffix(s, "]") {
			for v := range path.Values(p) {
				t.Fatalf("%v still reaches %v", path, v)
			}
		}
		if err := point.Check(p); err != nil {
			t.Fatal(err)
		}
	})
}

func TestIncludeAndExcludePartitionTheLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, path := payloads().Draw(t, "payload"), paths().Draw(t, "path")
		with, err1 := point.NewProjection([]string{path.String()}, nil)
		without, err2 := point.NewProjection(nil, []string{path.String()})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		reached := slices.AppendSeq([]any{}, path.Values(p))
		if strings.Contains(path.String(), "[") {
			return // elements move up when others are left out
		}
		if got := slices.AppendSeq([]any{}, path.Values(with.Apply(p))); !reflect.DeepEqual(got, reached) {
			t.Fatalf("included %v: reaches %v, not %v", path, got, reached)
		}
		if got := slices.AppendSeq([]any{}, path.Values(without.Apply(p))); len(got) > 0 {
			t.Fatalf("excluded %v: still reaches %v", path, got)
		}
	})
}

func FuzzParsePathComesBack(f *testing.F) {
	for _, s := range []string{"a.b", "a[].b", "a[0]", `"quoted.key".x`, `""`, "a]", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := point.ParsePath(s)
		if err != nil {
			return
		}
		again, err := point.ParsePath(p.String())
		if err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%q: %v came back as %v, %v", s, p, again, err)
		}
		doc := point.Payload{}
		p.Set(doc, point.Payload{"x": int64(1)})
		p.Delete(doc)
		if _, err := json.Marshal(doc); err != nil {
			t.Fatal(err)
		}
	})
}
