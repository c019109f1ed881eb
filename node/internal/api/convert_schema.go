package api

import (
	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// fieldIndexFrom reads what a CreateFieldIndex declares: a type, parameters of a type, or both of one.
func fieldIndexFrom(r *qdrant.CreateFieldIndexCollection) (catalog.FieldIndex, error) {
	var out catalog.FieldIndex
	if p := r.GetFieldIndexParams(); p != nil {
		var err error
		if out, err = fieldParamsFrom(p); err != nil {
			return out, err
		}
	}
	if r.FieldType == nil {
		if out.Type == "" {
			return out, invalid("field_type is not given, and neither are field_index_params")
		}
		return out, nil
	}
	declared := fieldTypes[r.GetFieldType()]
	if out.Type != "" && out.Type != declared {
		return out, invalid("field_type is %s, but field_index_params are of type %s", declared, out.Type)
	}
	out.Type = declared
	return out, nil
}

var fieldTypes = map[qdrant.FieldType]catalog.FieldType{
	qdrant.FieldType_FieldTypeKeyword:  catalog.KeywordField,
	qdrant.FieldType_FieldTypeInteger:  catalog.IntegerField,
	qdrant.FieldType_FieldTypeFloat:    catalog.FloatField,
	qdrant.FieldType_FieldTypeGeo:      catalog.GeoField,
	qdrant.FieldType_FieldTypeText:     catalog.TextField,
	qdrant.FieldType_FieldTypeBool:     catalog.BoolField,
	qdrant.FieldType_FieldTypeDatetime: catalog.DatetimeField,
	qdrant.FieldType_FieldTypeUuid:     catalog.UUIDField,
}

func fieldParamsFrom(p *qdrant.PayloadIndexParams) (out catalog.FieldIndex, err error) {
	out.Params = &catalog.FieldParams{}
	switch v := p.GetIndexParams().(type) {
	case *qdrant.PayloadIndexParams_KeywordIndexParams:
		k := v.KeywordIndexParams
		out.Type = catalog.KeywordField
		*out.Params = catalog.FieldParams{IsTenant: k.IsTenant, OnDisk: k.OnDisk, EnableHNSW: k.EnableHnsw}
		if k.GetPrefix() != nil {
			yes := true
			out.Params.Prefix = &yes
		}
	case *qdrant.PayloadIndexParams_IntegerIndexParams:
		i := v.IntegerIndexParams
		out.Type = catalog.IntegerField
		*out.Params = catalog.FieldParams{Lookup: i.Lookup, Range: i.Range, IsPrincipal: i.IsPrincipal, OnDisk: i.OnDisk, EnableHNSW: i.EnableHnsw}
	case *qdrant.PayloadIndexParams_FloatIndexParams:
		f := v.FloatIndexParams
		out.Type = catalog.FloatField
		*out.Params = catalog.FieldParams{IsPrincipal: f.IsPrincipal, OnDisk: f.OnDisk, EnableHNSW: f.EnableHnsw}
	case *qdrant.PayloadIndexParams_GeoIndexParams:
		out.Type = catalog.GeoField
		*out.Params = catalog.FieldParams{OnDisk: v.GeoIndexParams.OnDisk, EnableHNSW: v.GeoIndexParams.EnableHnsw}
	case *qdrant.PayloadIndexParams_TextIndexParams:
		out.Type = catalog.TextField
		*out.Params = catalog.FieldParams{OnDisk: v.TextIndexParams.OnDisk, EnableHNSW: v.TextIndexParams.EnableHnsw}
		out.Params.Text, err = textParamsFrom(v.TextIndexParams)
	case *qdrant.PayloadIndexParams_BoolIndexParams:
		out.Type = catalog.BoolField
		*out.Params = catalog.FieldParams{OnDisk: v.BoolIndexParams.OnDisk, EnableHNSW: v.BoolIndexParams.EnableHnsw}
	case *qdrant.PayloadIndexParams_DatetimeIndexParams:
		d := v.DatetimeIndexParams
		out.Type = catalog.DatetimeField
		*out.Params = catalog.FieldParams{IsPrincipal: d.IsPrincipal, OnDisk: d.OnDisk, EnableHNSW: d.EnableHnsw}
	case *qdrant.PayloadIndexParams_UuidIndexParams:
		u := v.UuidIndexParams
		out.Type = catalog.UUIDField
		*out.Params = catalog.FieldParams{IsTenant: u.IsTenant, OnDisk: u.OnDisk, EnableHNSW: u.EnableHnsw}
	default:
		err = invalid("field_index_params: they are given, but empty")
	}
	return out, err
}

var tokenizers = map[qdrant.TokenizerType]token.Kind{
	qdrant.TokenizerType_Prefix: token.Prefix, qdrant.TokenizerType_Whitespace: token.Whitespace, qdrant.TokenizerType_Word: token.Word,
	qdrant.TokenizerType_Multilingual: token.Multilingual,
}

func textParamsFrom(p *qdrant.TextIndexParams) (*catalog.TextParams, error) {
	kind, known := tokenizers[p.GetTokenizer()]
	if !known {
		return nil, invalid("text_index_params: the tokenizer is not given")
	}
	out := &catalog.TextParams{
		Tokenizer: kind, Lowercase: p.Lowercase, MinLen: p.MinTokenLen, MaxLen: p.MaxTokenLen,
		Stopwords: p.GetStopwords().GetCustom(), StopLanguages: p.GetStopwords().GetLanguages(), Phrases: p.PhraseMatching, Folding: p.AsciiFolding,
	}
	if len(out.Stopwords) == 0 {
		out.Stopwords = nil
	}
	if len(out.StopLanguages) == 0 {
		out.StopLanguages = nil
	}
	if p.GetStemmer() == nil {
		return out, nil
	}
	switch s := p.GetStemmer().GetStemmingParams().(type) {
	case *qdrant.StemmingAlgorithm_Disabled:
		out.NoStemming = true
	case *qdrant.StemmingAlgorithm_Snowball:
		if out.Stemmer = s.Snowball.GetLanguage(); out.Stemmer == "" {
			return nil, invalid("text_index_params: the stemmer's language is not given")
		}
	default:
		return nil, invalid("text_index_params: the stemmer is given, but empty")
	}
	return out, nil
}

// payloadSchemaTo writes the declared indexes, and how many points each has.
func payloadSchemaTo(schema map[string]catalog.FieldIndex, counts map[string]coordinator.FieldInfo) map[string]*qdrant.PayloadSchemaInfo {
	out := make(map[string]*qdrant.PayloadSchemaInfo, len(schema))
	for path, index := range schema {
		n := counts[path].Points
		out[path] = &qdrant.PayloadSchemaInfo{DataType: schemaTypes[index.Type], Params: fieldParamsTo(index), Points: &n}
	}
	return out
}

var schemaTypes = map[catalog.FieldType]qdrant.PayloadSchemaType{
	catalog.KeywordField:  qdrant.PayloadSchemaType_Keyword,
	catalog.IntegerField:  qdrant.PayloadSchemaType_Integer,
	catalog.FloatField:    qdrant.PayloadSchemaType_Float,
	catalog.GeoField:      qdrant.PayloadSchemaType_Geo,
	catalog.TextField:     qdrant.PayloadSchemaType_Text,
	catalog.BoolField:     qdrant.PayloadSchemaType_Bool,
	catalog.DatetimeField: qdrant.PayloadSchemaType_Datetime,
	catalog.UUIDField:     qdrant.PayloadSchemaType_Uuid,
}

// fieldParamsTo writes the parameters as declared; nil if only the type was.
func fieldParamsTo(index catalog.FieldIndex) *qdrant.PayloadIndexParams {
	p := index.Params
	if p == nil {
		return nil
	}
	switch index.Type {
	case catalog.KeywordField:
		k := &qdrant.KeywordIndexParams{IsTenant: p.IsTenant, OnDisk: p.OnDisk, EnableHnsw: p.EnableHNSW}
		if p.Prefix != nil && *p.Prefix {
			k.Prefix = &qdrant.KeywordPrefixParams{}
		}
		return &qdrant.PayloadIndexParams{IndexParams: &qdrant.PayloadIndexParams_KeywordIndexParams{KeywordIndexParams: k}}
	case catalog.IntegerField:
		i := &qdrant.IntegerIndexParams{Lookup: p.Lookup, Range: p.Range, IsPrincipal: p.IsPrincipal, OnDisk: p.OnDisk, EnableHnsw: p.EnableHNSW}
		return &qdrant.PayloadIndexParams{IndexParams: &qdrant.PayloadIndexParams_IntegerIndexParams{IntegerIndexParams: i}}
	case catalog.FloatField:
		f := &qdrant.FloatIndexParams{IsPrincipal: p.IsPrincipal, OnDisk: p.OnDisk, EnableHnsw: p.EnableHNSW}
		return &qdrant.PayloadIndexParams{IndexParams: &qdrant.PayloadIndexParams_FloatIndexParams{FloatIndexParams: f}}
	case catalog.GeoField:
		g := &qdrant.GeoIndexParams{OnDisk: p.OnDisk, EnableHnsw: p.EnableHNSW}
		return &qdrant.PayloadIndexParams{IndexParams: &qdrant.PayloadIndexParams_GeoIndexParams{GeoIndexParams: g}}
	case catalog.TextField:
		return &qdrant.PayloadIndexParams{IndexParams: &qdrant.PayloadIndexParams_TextIndexParams{TextIndexParams: textParamsTo(p)}}
	case catalog.BoolField:
		b := &qdrant.BoolIndexParams{OnDisk: p.OnDisk, EnableHnsw: p.EnableHNSW}
		return &qdrant.PayloadIndexParams{IndexParams: &qdrant.PayloadIndexParams_BoolIndexParams{BoolIndexParams: b}}
	case catalog.DatetimeField:
		d := &qdrant.DatetimeIndexParams{IsPrincipal: p.IsPrincipal, OnDisk: p.OnDisk, EnableHnsw: p.EnableHNSW}
		return &qdrant.PayloadIndexParams{IndexParams: &qdrant.PayloadIndexParams_DatetimeIndexParams{DatetimeIndexParams: d}}
	case catalog.UUIDField:
		u := &qdrant.UuidIndexParams{IsTenant: p.IsTenant, OnDisk: p.OnDisk, EnableHnsw: p.EnableHNSW}
		return &qdrant.PayloadIndexParams{IndexParams: &qdrant.PayloadIndexParams_UuidIndexParams{UuidIndexParams: u}}
	}
	return nil
}

func textParamsTo(p *catalog.FieldParams) *qdrant.TextIndexParams {
	out := &qdrant.TextIndexParams{OnDisk: p.OnDisk, EnableHnsw: p.EnableHNSW}
	t := p.Text
	if t == nil {
		out.Tokenizer = qdrant.TokenizerType_Word
		return out
	}
	for number, kind := range tokenizers {
		if kind == t.Tokenizer {
			out.Tokenizer = number
		}
	}
	out.Lowercase, out.MinTokenLen, out.MaxTokenLen = t.Lowercase, t.MinLen, t.MaxLen
	out.PhraseMatching, out.AsciiFolding = t.Phrases, t.Folding
	if len(t.Stopwords)+len(t.StopLanguages) > 0 {
		out.Stopwords = &qdrant.StopwordsSet{Custom: t.Stopwords, Languages: t.StopLanguages}
	}
	switch {
	case t.NoStemming:
		out.Stemmer = &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Disabled{Disabled: &qdrant.DisabledStemmer{}}}
	case t.Stemmer != "":
		out.Stemmer = &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Snowball{Snowball: &qdrant.SnowballParams{Language: t.Stemmer}}}
	}
	return out
}
