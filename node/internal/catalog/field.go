package catalog

import (
	"maps"
	"reflect"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/token"
)

// FieldType is the type of a payload index.
type FieldType string

// The types.
const (
	KeywordField  FieldType = "keyword"
	IntegerField  FieldType = "integer"
	FloatField    FieldType = "float"
	GeoField      FieldType = "geo"
	TextField     FieldType = "text"
	BoolField     FieldType = "bool"
	DatetimeField FieldType = "datetime"
	UUIDField     FieldType = "uuid"
)

// FieldIndex declares an index over one field of payloads. Params is what was said beyond the type, nil if nothing was;
// it is kept and shown as declared, and of it the index itself heeds Text.
type FieldIndex struct {
	Type   FieldType    `json:"type"`
	Params *FieldParams `json:"params,omitempty"`
}

// FieldParams are the parameters of an index; a nil pointer was not said.
type FieldParams struct {
	IsTenant    *bool       `json:"is_tenant,omitempty"`    // keyword, uuid
	IsPrincipal *bool       `json:"is_principal,omitempty"` // integer, float, datetime
	OnDisk      *bool       `json:"on_disk,omitempty"`
	EnableHNSW  *bool       `json:"enable_hnsw,omitempty"`
	Lookup      *bool       `json:"lookup,omitempty"` // integer
	Range       *bool       `json:"range,omitempty"`  // integer
	Prefix      *bool       `json:"prefix,omitempty"` // keyword
	Text        *TextParams `json:"text,omitempty"`   // text
}

// TextParams are the parameters of a text index.
type TextParams struct {
	Tokenizer  token.Kind `json:"tokenizer"`
	Lowercase  *bool      `json:"lowercase,omitempty"` // default true
	MinLen     *uint64    `json:"min_len,omitempty"`
	MaxLen     *uint64    `json:"max_len,omitempty"`
	Stopwords  []string   `json:"stopwords,omitempty"`
	Phrases    *bool      `json:"phrases,omitempty"`
	Folding    *bool      `json:"folding,omitempty"`
	NoStemming bool       `json:"no_stemming,omitempty"` // said so; it is the default

	// Languages by any name that token.Language knows.
	StopLanguages []string `json:"stop_languages,omitempty"`
	Stemmer       string   `json:"stemmer,omitempty"`
}

// maxStopLanguages bounds StopLanguages, which may name a language more than once.
const maxStopLanguages = 100

// Tokenizer returns how a text index cuts, and nil for the others.
func (f FieldIndex) Tokenizer() *token.Tokenizer {
	if f.Type != TextField {
		return nil
	}
	t := token.Default()
	if f.Params == nil || f.Params.Text == nil {
		return &t
	}
	p := f.Params.Text
	t.Kind, t.Stopwords = p.Tokenizer, p.Stopwords
	set(&t.Lowercase, p.Lowercase)
	set(&t.Folding, p.Folding)
	set(&t.MinLen, p.MinLen)
	set(&t.MaxLen, p.MaxLen)
	if p.Stemmer != "" {
		t.Stemmer = token.Language(p.Stemmer)
	}
	for _, name := range p.StopLanguages {
		t.StopLanguages = append(t.StopLanguages, token.Language(name))
	}
	slices.Sort(t.StopLanguages)
	t.StopLanguages = slices.Compact(t.StopLanguages)
	return &t
}

// FieldPath returns the canonical form of a field's name, under which its index is kept.
func FieldPath(name string) (string, error) {
	if len(name) > MaxFieldNameBytes {
		return "", invalid("field name of %d bytes: at most %d are allowed", len(name), MaxFieldNameBytes)
	}
	path, err := point.ParsePath(name)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "field name")
	}
	return path.String(), nil
}

// Tokenizers returns the tokenizer of each text index by its field's path: what filter.Tokenized asks.
func (c *Collection) Tokenizers(path string) *token.Tokenizer {
	return c.PayloadSchema[path].Tokenizer()
}

// takes lists the parameters of each type besides OnDisk and EnableHNSW, which all have.
var takes = map[FieldType]FieldParams{
	KeywordField:  {IsTenant: new(bool), Prefix: new(bool)},
	IntegerField:  {IsPrincipal: new(bool), Lookup: new(bool), Range: new(bool)},
	FloatField:    {IsPrincipal: new(bool)},
	GeoField:      {},
	TextField:     {Text: &TextParams{}},
	BoolField:     {},
	DatetimeField: {IsPrincipal: new(bool)},
	UUIDField:     {IsTenant: new(bool)},
}

func (f FieldIndex) check() error {
	allowed, known := takes[f.Type]
	if !known {
		return invalid("index type %.32q is unknown", f.Type)
	}
	if p := f.Params; p != nil {
		for _, foreign := range []bool{
			p.IsTenant != nil && allowed.IsTenant == nil, p.IsPrincipal != nil && allowed.IsPrincipal == nil,
			p.Lookup != nil && allowed.Lookup == nil, p.Range != nil && allowed.Range == nil,
			p.Prefix != nil && allowed.Prefix == nil, p.Text != nil && allowed.Text == nil,
		} {
			if foreign {
				return invalid("an index of type %s does not take one of its parameters", f.Type)
			}
		}
		if f.Type == IntegerField && p.Lookup != nil && p.Range != nil && !*p.Lookup && !*p.Range {
			return invalid("an integer index without lookup and range would be of no use")
		}
		if p.Text != nil && p.Text.NoStemming && p.Text.Stemmer != "" {
			return invalid("a text index has a stemmer, or says that it has none")
		}
		if p.Text != nil && len(p.Text.StopLanguages) > maxStopLanguages {
			return invalid("%d languages of stop words, at most %d are allowed", len(p.Text.StopLanguages), maxStopLanguages)
		}
	}
	if t := f.Tokenizer(); t != nil {
		return t.Check()
	}
	return nil
}

func (e *edit) createFieldIndex(cmd CreateFieldIndex) error {
	c, path, err := e.field(cmd.Name, cmd.ID, cmd.Field)
	if err != nil {
		return err
	}
	if err := cmd.Index.check(); err != nil {
		return fault.Wrap(fault.Invalid, err, "index of %q", path)
	}
	old, exists := c.PayloadSchema[path]
	if exists && reflect.DeepEqual(old, cmd.Index) {
		return nil
	}
	if !exists {
		if err := c.checkIndexes(); err != nil {
			return err
		}
	}
	e.setField(c.ID, func(schema map[string]FieldIndex) { schema[path] = cmd.Index })
	return nil
}

// deleteFieldIndex is no error where there is none.
func (e *edit) deleteFieldIndex(cmd DeleteFieldIndex) error {
	c, path, err := e.field(cmd.Name, cmd.ID, cmd.Field)
	if err != nil {
		return err
	}
	if _, ok := c.PayloadSchema[path]; ok {
		e.setField(c.ID, func(schema map[string]FieldIndex) { delete(schema, path) })
	}
	return nil
}

// field finds what a command about a payload index is about.
func (e *edit) field(name string, id CollectionID, field string) (*Collection, string, error) {
	current, ok := e.next.Names[name]
	if !ok {
		return nil, "", ErrMissingCollection(name)
	}
	if current != id {
		return nil, "", fault.New(fault.Conflict, "Collection `%s` was deleted and created again meanwhile", name)
	}
	path, err := FieldPath(field)
	return e.next.Collections[id], path, err
}

func (e *edit) setField(id CollectionID, change func(map[string]FieldIndex)) {
	c := e.collection(id)
	schema := maps.Clone(c.PayloadSchema)
	if schema == nil {
		schema = map[string]FieldIndex{}
	}
	change(schema)
	if len(schema) == 0 {
		schema = nil
	}
	c.PayloadSchema = schema
}
