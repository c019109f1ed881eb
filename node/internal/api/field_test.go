package api_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

func (l *local) schema(name string) map[string]*qdrant.PayloadSchemaInfo {
	l.t.Helper()
	return l.info(name).GetPayloadSchema()
}

func snowball(language string) *qdrant.StemmingAlgorithm {
	return &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Snowball{Snowball: &qdrant.SnowballParams{Language: language}}}
}

// What is declared is shown, and what is shown declares the same.
func TestPayloadIndexesAreShownAsDeclared(t *testing.T) {
	yes, n := new(true), new(uint64(2))
	declared := []*qdrant.PayloadIndexParams{
		qdrant.NewPayloadIndexParamsKeyword(&qdrant.KeywordIndexParams{IsTenant: yes, OnDisk: new(false), EnableHnsw: yes, Prefix: &qdrant.KeywordPrefixParams{}}),
		qdrant.NewPayloadIndexParamsKeyword(&qdrant.KeywordIndexParams{}),
		qdrant.NewPayloadIndexParamsInt(&qdrant.IntegerIndexParams{Lookup: yes, Range: new(false), IsPrincipal: yes, OnDisk: yes, EnableHnsw: new(false)}),
		qdrant.NewPayloadIndexParamsFloat(&qdrant.FloatIndexParams{OnDisk: yes, IsPrincipal: yes, EnableHnsw: yes}),
		qdrant.NewPayloadIndexParamsGeo(&qdrant.GeoIndexParams{OnDisk: yes, EnableHnsw: yes}),
		qdrant.NewPayloadIndexParamsText(&qdrant.TextIndexParams{
			Tokenizer: qdrant.TokenizerType_Prefix, Lowercase: new(false), MinTokenLen: n, MaxTokenLen: n, OnDisk: yes, PhraseMatching: yes, AsciiFolding: yes, EnableHnsw: yes,
			Stopwords: &qdrant.StopwordsSet{Custom: []string{"the"}},
			Stemmer:   &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Disabled{Disabled: &qdrant.DisabledStemmer{}}},
		}),
		qdrant.NewPayloadIndexParamsText(&qdrant.TextIndexParams{Tokenizer: qdrant.TokenizerType_Multilingual, Lowercase: yes}),
		qdrant.NewPayloadIndexParamsText(&qdrant.TextIndexParams{
			Tokenizer: qdrant.TokenizerType_Word, Stopwords: &qdrant.StopwordsSet{Languages: []string{"German", "en"}, Custom: []string{"the"}}, Stemmer: snowball("En"),
		}),
		qdrant.NewPayloadIndexParamsText(&qdrant.TextIndexParams{Tokenizer: qdrant.TokenizerType_Word, Stopwords: &qdrant.StopwordsSet{Languages: []string{"english"}}}),
		qdrant.NewPayloadIndexParamsBool(&qdrant.BoolIndexParams{OnDisk: yes, EnableHnsw: yes}),
		qdrant.NewPayloadIndexParamsDatetime(&qdrant.DatetimeIndexParams{OnDisk: yes, IsPrincipal: yes, EnableHnsw: yes}),
		qdrant.NewPayloadIndexParamsUUID(&qdrant.UuidIndexParams{IsTenant: yes, OnDisk: yes, EnableHnsw: yes}),
	}
	l := prepared(t)
	for _, params := range declared {
		create := &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: `"k".l[]`, FieldIndexParams: params}
		l.must("Points.CreateFieldIndex", create)
		got := l.schema("c")
		if shown := got["k.l[]"]; len(got) != 1 || !proto.Equal(shown.GetParams(), params) || shown.GetPoints() != 1 {
			t.Errorf("%v is shown as %v", params, got)
			continue
		}
		before := l.State()
		create.FieldIndexParams = got["k.l[]"].GetParams()
		l.must("Points.CreateFieldIndex", create)
		was, _ := before.Lookup("c")
		is, _ := l.State().Lookup("c")
		if was != is {
			t.Errorf("%v declared again changes the collection", params)
		}
	}
}

func TestPayloadIndexesByTypeOnly(t *testing.T) {
	l := prepared(t)
	for field, want := range map[qdrant.FieldType]qdrant.PayloadSchemaType{
		qdrant.FieldType_FieldTypeKeyword: qdrant.PayloadSchemaType_Keyword, qdrant.FieldType_FieldTypeInteger: qdrant.PayloadSchemaType_Integer,
		qdrant.FieldType_FieldTypeFloat: qdrant.PayloadSchemaType_Float, qdrant.FieldType_FieldTypeGeo: qdrant.PayloadSchemaType_Geo,
		qdrant.FieldType_FieldTypeText: qdrant.PayloadSchemaType_Text, qdrant.FieldType_FieldTypeBool: qdrant.PayloadSchemaType_Bool,
		qdrant.FieldType_FieldTypeDatetime: qdrant.PayloadSchemaType_Datetime, qdrant.FieldType_FieldTypeUuid: qdrant.PayloadSchemaType_Uuid,
	} {
		l.must("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "f", FieldType: &field})
		if shown := l.schema("c")["f"]; shown.GetDataType() != want || shown.Params != nil {
			t.Errorf("%s is shown as %v", field, shown)
		}
	}
	resp := l.must("Points.DeleteFieldIndex", &qdrant.DeleteFieldIndexCollection{CollectionName: "c", FieldName: `"f"`, Wait: new(true)})
	if status := resp.(*qdrant.PointsOperationResponse).GetResult().GetStatus(); status != qdrant.UpdateStatus_Completed || len(l.schema("c")) != 0 {
		t.Errorf("%s: %v", status, l.schema("c"))
	}
	l.must("Points.DeleteFieldIndex", &qdrant.DeleteFieldIndexCollection{CollectionName: "c", FieldName: "f"})
}

func TestBadPayloadIndexesAreRefused(t *testing.T) {
	integer := qdrant.FieldType_FieldTypeInteger
	text := func(p *qdrant.TextIndexParams) *qdrant.PayloadIndexParams { return qdrant.NewPayloadIndexParamsText(p) }
	for _, c := range []struct {
		request *qdrant.CreateFieldIndexCollection
		code    codes.Code
		text    string
	}{
		{&qdrant.CreateFieldIndexCollection{FieldName: "f"}, codes.InvalidArgument, "field_type is not given"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "f", FieldIndexParams: &qdrant.PayloadIndexParams{}}, codes.InvalidArgument, "they are given, but empty"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "a..b", FieldType: &integer}, codes.InvalidArgument, `payload path "a..b"`},
		{&qdrant.CreateFieldIndexCollection{FieldName: "", FieldType: &integer}, codes.InvalidArgument, "field name"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "f", FieldType: &integer, FieldIndexParams: qdrant.NewPayloadIndexParamsBool(&qdrant.BoolIndexParams{})}, codes.InvalidArgument, "field_type is integer, but field_index_params are of type bool"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "f", FieldIndexParams: qdrant.NewPayloadIndexParamsInt(&qdrant.IntegerIndexParams{Lookup: new(false), Range: new(false)})}, codes.InvalidArgument, "no use"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "f", FieldIndexParams: text(&qdrant.TextIndexParams{})}, codes.InvalidArgument, "tokenizer is not given"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "f", FieldIndexParams: text(&qdrant.TextIndexParams{Tokenizer: 5})}, codes.InvalidArgument, "5 is not a known value"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "f", FieldIndexParams: text(&qdrant.TextIndexParams{Tokenizer: qdrant.TokenizerType_Word, MinTokenLen: new(uint64(3)), MaxTokenLen: new(uint64(2))})}, codes.InvalidArgument, "max_token_len"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "f", FieldIndexParams: text(&qdrant.TextIndexParams{Tokenizer: qdrant.TokenizerType_Word, Stemmer: &qdrant.StemmingAlgorithm{}})}, codes.InvalidArgument, "the stemmer is given, but empty"},
		{&qdrant.CreateFieldIndexCollection{FieldName: "f", FieldIndexParams: text(&qdrant.TextIndexParams{Tokenizer: qdrant.TokenizerType_Word, Stemmer: snowball("")})}, codes.InvalidArgument, "language is not given"},
	} {
		c.request.CollectionName = "c"
		l := prepared(t)
		l.refused("Points.CreateFieldIndex", c.request, c.code, c.text)
		if calls := l.taken(); len(calls) > 0 {
			t.Errorf("%v got as far as %v", c.request, calls)
		}
	}
	l := prepared(t)
	for want, p := range map[string]*qdrant.TextIndexParams{
		`no stop words of language "klingon"`: {Stopwords: &qdrant.StopwordsSet{Languages: []string{"english", "klingon"}}},
		`no stop words of language ""`:        {Stopwords: &qdrant.StopwordsSet{Languages: []string{""}}},
		`100 are allowed`:                     {Stopwords: &qdrant.StopwordsSet{Languages: slices.Repeat([]string{"english"}, 101)}},
		`no stemmer for language "greek", but for arabic, danish, dutch, english,`: {Stemmer: snowball("greek")},
	} {
		p.Tokenizer = qdrant.TokenizerType_Word
		l.refused("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "f", FieldIndexParams: text(p)}, codes.InvalidArgument, want)
	}
	l.refused("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "none", FieldName: "f", FieldType: &integer}, codes.NotFound, "Collection `none` doesn't exist!")
	l.refused("Points.DeleteFieldIndex", &qdrant.DeleteFieldIndexCollection{CollectionName: "none", FieldName: "f"}, codes.NotFound, "doesn't exist")
	l.refused("Points.DeleteFieldIndex", &qdrant.DeleteFieldIndexCollection{CollectionName: "c", FieldName: "[]"}, codes.InvalidArgument, "payload path")
}

func TestAPayloadIndexIsDeclaredAnewAfterAConflict(t *testing.T) {
	l := prepared(t)
	l.conflicts = 3
	l.must("Points.CreateFieldIndex", &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "f", FieldType: qdrant.PtrOf(qdrant.FieldType_FieldTypeBool)})
	if l.schema("c")["f"] == nil {
		t.Error("it is not there")
	}
	l.conflicts = 1000
	l.refused("Points.DeleteFieldIndex", &qdrant.DeleteFieldIndexCollection{CollectionName: "c", FieldName: "f"}, codes.Aborted, "somebody was faster")
}

func TestWaitingForAPayloadIndex(t *testing.T) {
	create := func(wait bool, timeout *uint64) *qdrant.CreateFieldIndexCollection {
		return &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "f", FieldType: qdrant.PtrOf(qdrant.FieldType_FieldTypeBool), Wait: &wait, Timeout: timeout}
	}
	synctest.Test(t, func(t *testing.T) {
		l := prepared(t)
		status := func(r *qdrant.CreateFieldIndexCollection) qdrant.UpdateStatus {
			return l.must("Points.CreateFieldIndex", r).(*qdrant.PointsOperationResponse).GetResult().GetStatus()
		}
		l.unready = 3
		if got := status(create(false, nil)); got != qdrant.UpdateStatus_Acknowledged || l.unready != 3 {
			t.Errorf("without wait: %s, %d looks left", got, l.unready)
		}
		if got := status(create(true, nil)); got != qdrant.UpdateStatus_Completed || l.unready != 0 {
			t.Errorf("with wait: %s, %d looks left", got, l.unready)
		}
		l.unready = 1000
		start := time.Now()
		if got := status(create(true, new(uint64(7)))); got != qdrant.UpdateStatus_WaitTimeout || time.Since(start) != 7*time.Second {
			t.Errorf("with a timeout: %s after %s", got, time.Since(start))
		}
		if l.schema("c")["f"] == nil {
			t.Error("it is not declared after the timeout")
		}
	})
}
