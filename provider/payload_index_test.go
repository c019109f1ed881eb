package provider_test

import (
	"testing"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/provider"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/fakecluster"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/prototest"
)

const indexType = "ostraka_payload_index"

func newIndexWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, 1, nil)
	w.apply(t, nil, minimal(nil))
	w.cluster.Log()
	return w
}

func index(kind string, settings prototest.Config) prototest.Config {
	return prototest.Config{"collection": "docs", "field": "a.b", kind: settings}
}

func TestAnIndexGetsTheServersDefaults(t *testing.T) {
	w := newIndexWorld(t)
	r := w.applyOf(t, indexType, nil, index("text", prototest.Config{}))
	for path, want := range map[string]string{
		"keyword": "null", "text.tokenizer": "Word", "text.lowercase": "true", "text.on_disk": "false", "text.enable_hnsw": "true",
		"text.min_token_len": "null", "text.stopwords": "null", "text.stemmer": "null",
	} {
		if got := prototest.Get(r.State, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	w.mustBeSettledOf(t, indexType, r, index("text", prototest.Config{}))
}

func TestAnIndexIsReplacedInPlaceWithAWarning(t *testing.T) {
	w := newIndexWorld(t)
	r := w.applyOf(t, indexType, nil, index("keyword", prototest.Config{}))
	for _, next := range []prototest.Config{index("keyword", prototest.Config{"is_tenant": true}), index("integer", prototest.Config{"lookup": false})} {
		w.restart(t, nil)
		plan := w.Plan(t, indexType, r, next)
		wantOne(t, "warnings", plan.Diagnostics.Warnings(), "built anew", "(at ")
		wantEqual(t, "replaced because of", plan.Replace, nil)
		r = w.applyOf(t, indexType, r, next)
		w.mustBeSettledOf(t, indexType, r, next)
	}
	elsewhere := index("integer", prototest.Config{"lookup": false})
	elsewhere["field"] = "c"
	wantEqual(t, "replaced because of", w.Plan(t, indexType, r, elsewhere).Replace, []string{"field"})
	w.applyOf(t, indexType, r, nil)
	wantEqual(t, "log", w.cluster.Log(), []string{"index docs/a.b Keyword", "index docs/a.b Keyword", "index docs/a.b Integer", "unindex docs/a.b"})
}

func drawIndex(t *rapid.T) prototest.Config {
	flags := map[string][]string{
		"keyword": {"is_tenant", "prefix"}, "integer": {"lookup", "range", "is_principal"}, "float": {"is_principal"}, "geo": {},
		"text": {"lowercase", "phrase_matching", "ascii_folding"}, "bool": {}, "datetime": {"is_principal"}, "uuid": {"is_tenant"},
	}
	kind := rapid.SampledFrom([]string{"keyword", "integer", "float", "geo", "text", "bool", "datetime", "uuid"}).Draw(t, "kind")
	settings := prototest.Config{}
	for _, flag := range append(flags[kind], "on_disk", "enable_hnsw") {
		maybe(t, settings, flag, rapid.Bool().AsAny())
	}
	if kind == "text" {
		maybe(t, settings, "tokenizer", rapid.SampledFrom([]string{"Word", "Prefix", "Whitespace", "Multilingual"}).AsAny())
		maybe(t, settings, "min_token_len", rapid.IntRange(1, 9).AsAny())
		maybe(t, settings, "max_token_len", rapid.IntRange(1, 9).AsAny())
		maybe(t, settings, "stemmer", rapid.SampledFrom([]string{"english", "EN", "disabled"}).AsAny())
		maybe(t, settings, "stopwords", rapid.SampledFrom([]any{[]any{"german", "english"}, []any{"De", "en"}}))
		maybe(t, settings, "custom_stopwords", rapid.Just[any]([]any{"b", "a"}))
	}
	return index(kind, settings)
}

func TestARandomIndexIsSettledAndEndsWhereACreationWouldHave(t *testing.T) {
	w := newIndexWorld(t)
	rapid.Check(t, func(t *rapid.T) {
		first, second := drawIndex(t), drawIndex(t)
		r := w.applyOf(t, indexType, nil, first)
		w.mustBeSettledOf(t, indexType, r, first)
		r = w.applyOf(t, indexType, r, second)
		w.mustBeSettledOf(t, indexType, r, second)
		w.applyOf(t, indexType, r, nil)
		fresh := w.applyOf(t, indexType, nil, second)
		if d := prototest.Diff(r.State, fresh.State); len(d) > 0 {
			t.Fatalf("updated and created differ in %s", d)
		}
		imported, diags := w.Import(t, indexType, "docs/a.b")
		if errs := diags.Errors(); len(errs) > 0 {
			t.Fatalf("import: %s", errs)
		}
		for _, path := range prototest.Diff(fresh.State, imported.State) {
			if path != "timeouts" {
				t.Fatalf("imported differs in %s", path)
			}
		}
		w.applyOf(t, indexType, fresh, nil)
	})
}

func TestDriftOfAnIndex(t *testing.T) {
	w := newIndexWorld(t)
	config := index("keyword", prototest.Config{"is_tenant": true})
	r := w.applyOf(t, indexType, nil, config)
	for name, drift := range map[string]struct {
		info *qdrant.PayloadSchemaInfo
		plan []string
	}{
		"another setting": {&qdrant.PayloadSchemaInfo{DataType: qdrant.PayloadSchemaType_Keyword, Params: qdrant.NewPayloadIndexParamsKeyword(
			&qdrant.KeywordIndexParams{IsTenant: qdrant.PtrOf(true), OnDisk: qdrant.PtrOf(true)})}, []string{"keyword.on_disk"}},
		"no settings":  {&qdrant.PayloadSchemaInfo{DataType: qdrant.PayloadSchemaType_Keyword}, []string{"keyword.is_tenant"}},
		"another kind": {&qdrant.PayloadSchemaInfo{DataType: qdrant.PayloadSchemaType_Uuid}, []string{"keyword", "uuid"}},
	} {
		w.cluster.Index("docs", "a.b", drift.info)
		seen := w.refreshOf(t, indexType, r)
		wantEqual(t, name, w.Plan(t, indexType, seen, config).Changes(), drift.plan)
		w.mustBeSettledOf(t, indexType, w.applyOf(t, indexType, seen, config), config)
	}
	w.cluster.Index("docs", "a.b", nil)
	if gone := w.refreshOf(t, indexType, r); gone.Exists() {
		t.Error("an index that is gone is still in the state")
	}
	w.cluster.Drop("docs")
	r.Identity = nil
	if gone := w.refreshOf(t, indexType, r); gone.Exists() {
		t.Error("an index whose collection is gone is still in the state")
	}
}

// A server may show languages as it calls them, and not as they were declared: that is no drift, but another language is.
func TestALanguageGoesByItsNameAndItsCode(t *testing.T) {
	w := newIndexWorld(t)
	config := index("text", prototest.Config{"stemmer": "EN", "stopwords": []any{"de", "English"}})
	r := w.applyOf(t, indexType, nil, config)
	w.mustBeSettledOf(t, indexType, r, config)
	show := func(stemmer string, stopwords ...string) {
		w.cluster.Index("docs", "a.b", &qdrant.PayloadSchemaInfo{DataType: qdrant.PayloadSchemaType_Text, Params: qdrant.NewPayloadIndexParamsText(&qdrant.TextIndexParams{
			Tokenizer: qdrant.TokenizerType_Word, Stopwords: &qdrant.StopwordsSet{Languages: stopwords},
			Stemmer: &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Snowball{Snowball: &qdrant.SnowballParams{Language: stemmer}}},
		})})
	}
	show("english", "english", "german")
	w.mustBeSettledOf(t, indexType, w.refreshOf(t, indexType, r), config)
	for want, drift := range map[string]func(){
		"text.stemmer": func() { show("german", "english", "german") }, "text.stopwords": func() { show("english", "english", "french") },
	} {
		drift()
		wantEqual(t, want, w.Plan(t, indexType, w.refreshOf(t, indexType, r), config).Changes(), []string{want})
	}
	show("english", "english", "german")
	imported, diags := w.Import(t, indexType, "docs/a.b")
	wantEqual(t, "errors", diags.Errors(), nil)
	if got := prototest.Get(imported.State, "text.stemmer"); got != "english" {
		t.Errorf("the imported stemmer is %s", got)
	}
}

func TestUnknownLanguagesAreRefused(t *testing.T) {
	w := &world{Provider: prototest.New(t, provider.New("test"))}
	for _, settings := range []prototest.Config{
		{"stemmer": "klingon"}, {"stemmer": "hebrew"}, {"stemmer": ""}, {"stopwords": []any{"english", "tamil"}}, {"stopwords": []any{"disabled"}}, {"stopwords": []any{""}},
	} {
		wantOne(t, "a language that is none", w.Validate(t, indexType, index("text", settings)).Errors(), "Unknown language", "english, ")
	}
	for _, settings := range []prototest.Config{
		{"stemmer": "Greek"}, {"stemmer": "el"}, {"stemmer": "disabled"}, {"stopwords": []any{"hi-en", "EN", "tajik"}, "custom_stopwords": []any{"klingon"}},
	} {
		wantEqual(t, "languages", w.Validate(t, indexType, index("text", settings)).Errors(), nil)
	}
}

func TestOnlyNotFoundRemovesAnIndexFromTheState(t *testing.T) {
	w := newIndexWorld(t)
	r := w.applyOf(t, indexType, nil, index("bool", prototest.Config{}))
	for _, code := range []codes.Code{codes.Unavailable, codes.PermissionDenied, codes.Internal} {
		w.cluster.Inject(fakecluster.Fault{Method: "Collections/Get", Err: status.Error(code, "injected")})
		out, diags := w.Refresh(t, indexType, r)
		if len(diags.Errors()) != 1 || !out.Exists() {
			t.Errorf("%s: errors %q, in the state: %t", code, diags.Errors(), out.Exists())
		}
		w.cluster.Heal()
	}
}

func TestAForeignIndexAndAMissingCollection(t *testing.T) {
	w := newIndexWorld(t)
	w.cluster.Index("docs", "a.b", &qdrant.PayloadSchemaInfo{DataType: qdrant.PayloadSchemaType_Bool})
	out, diags := w.Apply(t, w.Plan(t, indexType, w.None(indexType), index("bool", prototest.Config{})))
	wantOne(t, "foreign", diags.Errors(), "terraform import ostraka_payload_index.RESOURCE docs/a.b", "(at field)")
	if out.Exists() {
		t.Error("the foreign index is in the state")
	}
	w.cluster.Drop("docs")
	_, diags = w.Apply(t, w.Plan(t, indexType, w.None(indexType), index("bool", prototest.Config{})))
	wantOne(t, "no collection", diags.Errors(), "No such collection", "(at collection)")
}

func TestALostReplyOfAnIndexIsLookedAfter(t *testing.T) {
	w := newIndexWorld(t)
	w.cluster.Inject(fakecluster.Fault{Method: "Points/CreateFieldIndex", Err: errLost, After: true, Times: 1})
	config := index("geo", prototest.Config{"on_disk": true})
	w.mustBeSettledOf(t, indexType, w.applyOf(t, indexType, nil, config), config)
}

func TestIndexImport(t *testing.T) {
	w := newIndexWorld(t)
	config := index("keyword", prototest.Config{})
	created := w.applyOf(t, indexType, nil, config)
	byIdentity, diags := w.ImportIdentity(t, indexType, map[string]string{"collection": "docs", "field": "a.b"})
	wantEqual(t, "errors", diags.Errors(), nil)
	wantEqual(t, "import by identity differs in", prototest.Diff(created.State, byIdentity.State), nil)
	for _, bad := range []string{"docs", "/x", "docs/"} {
		_, diags := w.Import(t, indexType, bad)
		wantOne(t, bad, diags.Errors(), "COLLECTION/FIELD")
	}
	if gone, _ := w.Import(t, indexType, "docs/nothing"); gone.Exists() {
		t.Error("imported an index that does not exist")
	}
}

func TestAnIndexHasExactlyOneKind(t *testing.T) {
	w := &world{Provider: prototest.New(t, provider.New("test"))}
	none := prototest.Config{"collection": "docs", "field": "f"}
	wantOne(t, "none", w.Validate(t, indexType, none).Errors(), "keyword")
	two := index("keyword", prototest.Config{})
	two["bool"] = prototest.Config{}
	if errs := w.Validate(t, indexType, two).Errors(); len(errs) == 0 {
		t.Error("two kinds are accepted")
	}
}

func TestAFieldHasTheNameThatTheClusterGivesIt(t *testing.T) {
	w := &world{Provider: prototest.New(t, provider.New("test"))}
	for field, needless := range map[string]bool{`a.b`: false, `"a b".c[]`: false, `"a".b`: true, `x."ü-1"`: true, `"a.b"`: false} {
		errs := w.Validate(t, indexType, prototest.Config{"collection": "docs", "field": field, "bool": prototest.Config{}}).Errors()
		if needless {
			wantOne(t, field, errs, "Needless quotes")
		} else {
			wantEqual(t, field, errs, nil)
		}
	}
}
