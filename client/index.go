package client

import (
	"context"

	"github.com/qdrant/go-client/qdrant"
)

// IndexKind is what the values of an indexed field are.
type IndexKind string

// The kinds of index.
const (
	KeywordIndex  IndexKind = "keyword"
	IntegerIndex  IndexKind = "integer"
	FloatIndex    IndexKind = "float"
	GeoIndex      IndexKind = "geo"
	TextIndexKind IndexKind = "text"
	BoolIndex     IndexKind = "bool"
	DatetimeIndex IndexKind = "datetime"
	UUIDIndex     IndexKind = "uuid"
)

// FieldIndex declares an index of a payload field. Nil is the server's default; what a kind has not got is nil.
type FieldIndex struct {
	Kind       IndexKind
	OnDisk     *bool
	EnableHNSW *bool      // build graphs for the field's values
	Tenant     *bool      // keyword, uuid: most requests filter by one value
	Prefix     bool       // keyword: match prefixes
	Principal  *bool      // integer, float, datetime: most requests filter by a range
	Lookup     *bool      // integer: match values
	Range      *bool      // integer: match ranges
	Text       *TextIndex // of kind text; nil: all defaults
}

// TextIndex says how texts become the tokens that are matched.
type TextIndex struct {
	Tokenizer       string // Prefix, Whitespace, Word or Multilingual; "": not said
	Lowercase       *bool
	MinTokenLen     *uint64
	MaxTokenLen     *uint64
	PhraseMatching  *bool
	ASCIIFolding    *bool
	Stopwords       []string // languages
	CustomStopwords []string
	Stemmer         string // a language, "disabled" for surely none, "": not said
}

// StemmerDisabled in TextIndex.Stemmer turns stemming off also where a language would turn it on.
const StemmerDisabled = "disabled"

// Tokenizers returns what TextIndex.Tokenizer can be.
func Tokenizers() []string { return []string{"Prefix", "Whitespace", "Word", "Multilingual"} }

// CreateFieldIndex declares an index of a payload field, instead of one that the field has; the same one again is no error.
// It may return before all points are indexed.
func (c *Client) CreateFieldIndex(ctx context.Context, collection, field string, index FieldIndex) error {
	op := operation{kind: once, ddl: true, method: pointsService + "CreateFieldIndex"}
	kind, params, err := index.wire()
	if err != nil {
		return named(err, op)
	}
	_, callErr := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.PointsOperationResponse, error) {
		return e.points.CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{
			CollectionName: collection, Wait: qdrant.PtrOf(true), FieldName: field, FieldType: kind.Enum(), FieldIndexParams: params,
		})
	})
	return callErr
}

// DeleteFieldIndex removes the index of a payload field; a missing one is no error.
func (c *Client) DeleteFieldIndex(ctx context.Context, collection, field string) error {
	op := operation{kind: once, ddl: true, method: pointsService + "DeleteFieldIndex"}
	_, err := call(ctx, c, op, func(ctx context.Context, e *endpoint) (*qdrant.PointsOperationResponse, error) {
		return e.points.DeleteFieldIndex(ctx, &qdrant.DeleteFieldIndexCollection{
			CollectionName: collection, Wait: qdrant.PtrOf(true), FieldName: field,
		})
	})
	return err
}

func (f FieldIndex) wire() (kind qdrant.FieldType, params *qdrant.PayloadIndexParams, err *Error) {
	switch f.Kind {
	case KeywordIndex:
		k := &qdrant.KeywordIndexParams{IsTenant: f.Tenant, OnDisk: f.OnDisk, EnableHnsw: f.EnableHNSW}
		if f.Prefix {
			k.Prefix = &qdrant.KeywordPrefixParams{}
		}
		return qdrant.FieldType_FieldTypeKeyword, qdrant.NewPayloadIndexParamsKeyword(k), nil
	case IntegerIndex:
		return qdrant.FieldType_FieldTypeInteger, qdrant.NewPayloadIndexParamsInt(&qdrant.IntegerIndexParams{
			Lookup: f.Lookup, Range: f.Range, IsPrincipal: f.Principal, OnDisk: f.OnDisk, EnableHnsw: f.EnableHNSW,
		}), nil
	case FloatIndex:
		return qdrant.FieldType_FieldTypeFloat, qdrant.NewPayloadIndexParamsFloat(&qdrant.FloatIndexParams{
			IsPrincipal: f.Principal, OnDisk: f.OnDisk, EnableHnsw: f.EnableHNSW,
		}), nil
	case GeoIndex:
		return qdrant.FieldType_FieldTypeGeo, qdrant.NewPayloadIndexParamsGeo(&qdrant.GeoIndexParams{OnDisk: f.OnDisk, EnableHnsw: f.EnableHNSW}), nil
	case TextIndexKind:
		text, err := f.text()
		return qdrant.FieldType_FieldTypeText, qdrant.NewPayloadIndexParamsText(text), err
	case BoolIndex:
		return qdrant.FieldType_FieldTypeBool, qdrant.NewPayloadIndexParamsBool(&qdrant.BoolIndexParams{OnDisk: f.OnDisk, EnableHnsw: f.EnableHNSW}), nil
	case DatetimeIndex:
		return qdrant.FieldType_FieldTypeDatetime, qdrant.NewPayloadIndexParamsDatetime(&qdrant.DatetimeIndexParams{
			IsPrincipal: f.Principal, OnDisk: f.OnDisk, EnableHnsw: f.EnableHNSW,
		}), nil
	case UUIDIndex:
		return qdrant.FieldType_FieldTypeUuid, qdrant.NewPayloadIndexParamsUUID(&qdrant.UuidIndexParams{
			IsTenant: f.Tenant, OnDisk: f.OnDisk, EnableHnsw: f.EnableHNSW,
		}), nil
	}
	return 0, nil, invalid("index of kind %q: want keyword, integer, float, geo, text, bool, datetime or uuid", f.Kind)
}

func (f FieldIndex) text() (*qdrant.TextIndexParams, *Error) {
	out := &qdrant.TextIndexParams{OnDisk: f.OnDisk, EnableHnsw: f.EnableHNSW}
	t := f.Text
	if t == nil {
		out.Tokenizer = qdrant.TokenizerType_Word
		return out, nil
	}
	tokenizer, ok := qdrant.TokenizerType_value[t.Tokenizer]
	if t.Tokenizer == "" {
		tokenizer, ok = int32(qdrant.TokenizerType_Word), true
	}
	if !ok || tokenizer == 0 {
		return nil, invalid("tokenizer %q: want Prefix, Whitespace, Word or Multilingual", t.Tokenizer)
	}
	out.Tokenizer = qdrant.TokenizerType(tokenizer)
	out.Lowercase, out.MinTokenLen, out.MaxTokenLen = t.Lowercase, t.MinTokenLen, t.MaxTokenLen
	out.PhraseMatching, out.AsciiFolding = t.PhraseMatching, t.ASCIIFolding
	if len(t.Stopwords)+len(t.CustomStopwords) > 0 {
		out.Stopwords = &qdrant.StopwordsSet{Languages: t.Stopwords, Custom: t.CustomStopwords}
	}
	switch t.Stemmer {
	case "":
	case StemmerDisabled:
		out.Stemmer = &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Disabled{Disabled: &qdrant.DisabledStemmer{}}}
	default:
		out.Stemmer = &qdrant.StemmingAlgorithm{StemmingParams: &qdrant.StemmingAlgorithm_Snowball{Snowball: &qdrant.SnowballParams{Language: t.Stemmer}}}
	}
	return out, nil
}

func indexesOf(schema map[string]*qdrant.PayloadSchemaInfo) map[string]FieldIndex {
	out := make(map[string]FieldIndex, len(schema))
	for field, info := range schema {
		out[field] = indexOf(info)
	}
	return out
}

// indexOf reads the parameters, or, without any, the type alone.
func indexOf(info *qdrant.PayloadSchemaInfo) FieldIndex {
	kinds := map[qdrant.PayloadSchemaType]IndexKind{
		qdrant.PayloadSchemaType_Keyword: KeywordIndex, qdrant.PayloadSchemaType_Integer: IntegerIndex,
		qdrant.PayloadSchemaType_Float: FloatIndex, qdrant.PayloadSchemaType_Geo: GeoIndex, qdrant.PayloadSchemaType_Text: TextIndexKind,
		qdrant.PayloadSchemaType_Bool: BoolIndex, qdrant.PayloadSchemaType_Datetime: DatetimeIndex, qdrant.PayloadSchemaType_Uuid: UUIDIndex,
	}
	f := FieldIndex{Kind: kinds[info.GetDataType()]}
	switch p := info.GetParams().GetIndexParams().(type) {
	case *qdrant.PayloadIndexParams_KeywordIndexParams:
		k := p.KeywordIndexParams
		f.Tenant, f.OnDisk, f.EnableHNSW, f.Prefix = k.IsTenant, k.OnDisk, k.EnableHnsw, k.Prefix != nil
	case *qdrant.PayloadIndexParams_IntegerIndexParams:
		i := p.IntegerIndexParams
		f.Lookup, f.Range, f.Principal, f.OnDisk, f.EnableHNSW = i.Lookup, i.Range, i.IsPrincipal, i.OnDisk, i.EnableHnsw
	case *qdrant.PayloadIndexParams_FloatIndexParams:
		f.Principal, f.OnDisk, f.EnableHNSW = p.FloatIndexParams.IsPrincipal, p.FloatIndexParams.OnDisk, p.FloatIndexParams.EnableHnsw
	case *qdrant.PayloadIndexParams_GeoIndexParams:
		f.OnDisk, f.EnableHNSW = p.GeoIndexParams.OnDisk, p.GeoIndexParams.EnableHnsw
	case *qdrant.PayloadIndexParams_TextIndexParams:
		f.OnDisk, f.EnableHNSW, f.Text = p.TextIndexParams.OnDisk, p.TextIndexParams.EnableHnsw, textOf(p.TextIndexParams)
	case *qdrant.PayloadIndexParams_BoolIndexParams:
		f.OnDisk, f.EnableHNSW = p.BoolIndexParams.OnDisk, p.BoolIndexParams.EnableHnsw
	case *qdrant.PayloadIndexParams_DatetimeIndexParams:
		f.Principal, f.OnDisk, f.EnableHNSW = p.DatetimeIndexParams.IsPrincipal, p.DatetimeIndexParams.OnDisk, p.DatetimeIndexParams.EnableHnsw
	case *qdrant.PayloadIndexParams_UuidIndexParams:
		f.Tenant, f.OnDisk, f.EnableHNSW = p.UuidIndexParams.IsTenant, p.UuidIndexParams.OnDisk, p.UuidIndexParams.EnableHnsw
	}
	return f
}

func textOf(p *qdrant.TextIndexParams) *TextIndex {
	t := &TextIndex{
		Lowercase: p.Lowercase, MinTokenLen: p.MinTokenLen, MaxTokenLen: p.MaxTokenLen,
		PhraseMatching: p.PhraseMatching, ASCIIFolding: p.AsciiFolding,
		Stopwords: p.GetStopwords().GetLanguages(), CustomStopwords: p.GetStopwords().GetCustom(),
	}
	if p.GetTokenizer() != qdrant.TokenizerType_Unknown {
		t.Tokenizer = p.GetTokenizer().String()
	}
	switch s := p.GetStemmer().GetStemmingParams().(type) {
	case *qdrant.StemmingAlgorithm_Snowball:
		t.Stemmer = s.Snowball.GetLanguage()
	case *qdrant.StemmingAlgorithm_Disabled:
		t.Stemmer = StemmerDisabled
	}
	return t
}
