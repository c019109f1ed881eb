package payloadindex

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// declared is the index that m asks for. A setting at its default is left to the server.
func (m *model) declared(ctx context.Context) (client.FieldIndex, diag.Diagnostics) {
	var diags diag.Diagnostics
	for _, kind := range allKinds() {
		if object := m.of(kind); !object.IsNull() {
			s := given{object.Attributes(), &diags}
			return s.index(ctx, kind), diags
		}
	}
	diags.AddError("No kind of index", "Exactly one of the kinds must be given.")
	return client.FieldIndex{}, diags
}

// given reads the settings of one kind.
type given struct {
	attrs map[string]attr.Value
	diags *diag.Diagnostics
}

func (g given) index(ctx context.Context, kind client.IndexKind) client.FieldIndex {
	f := client.FieldIndex{
		Kind: kind, OnDisk: g.flag("on_disk", false), EnableHNSW: g.flag("enable_hnsw", true), Tenant: g.flag("is_tenant", false),
		Prefix: g.flag("prefix", false) != nil, Principal: g.flag("is_principal", false), Lookup: g.flag("lookup", true), Range: g.flag("range", true),
	}
	if kind == client.TextIndexKind {
		f.Text = &client.TextIndex{
			Tokenizer: g.text("tokenizer"), Lowercase: g.flag("lowercase", true), PhraseMatching: g.flag("phrase_matching", false),
			ASCIIFolding: g.flag("ascii_folding", false), MinTokenLen: g.number("min_token_len"), MaxTokenLen: g.number("max_token_len"),
			Stopwords: g.words(ctx, "stopwords"), CustomStopwords: g.words(ctx, "custom_stopwords"), Stemmer: g.text("stemmer"),
		}
	}
	return f
}

// flag returns nil for a setting that the kind has not got or that is at its default.
func (g given) flag(name string, fallback bool) *bool {
	v, ok := g.attrs[name].(types.Bool)
	if !ok || v.IsNull() || v.ValueBool() == fallback {
		return nil
	}
	return v.ValueBoolPointer()
}

func (g given) text(name string) string {
	v, _ := g.attrs[name].(types.String)
	return v.ValueString()
}

func (g given) number(name string) *uint64 {
	v, ok := g.attrs[name].(types.Int64)
	if !ok || v.IsNull() {
		return nil
	}
	n := uint64(v.ValueInt64())
	return &n
}

func (g given) words(ctx context.Context, name string) []string {
	v, ok := g.attrs[name].(types.Set)
	if !ok || v.IsNull() {
		return nil
	}
	var out []string
	g.diags.Append(v.ElementsAs(ctx, &out, false)...)
	return out
}

// observe returns prior with the index that the server shows: its kind alone is not null.
func observe(ctx context.Context, prior model, f client.FieldIndex) (model, diag.Diagnostics) {
	var diags diag.Diagnostics
	out := prior
	for _, kind := range allKinds() {
		*out.of(kind) = types.ObjectNull(attrTypes(kind))
	}
	target := out.of(f.Kind)
	if target == nil {
		diags.AddError("Unknown kind of index", "The server shows an index of a kind that this version of the provider does not know.")
		return prior, diags
	}
	values := map[string]attr.Value{}
	for name := range settings(f.Kind) {
		values[name] = shown(ctx, name, f, &diags)
	}
	if f.Kind == client.TextIndexKind {
		spelled(ctx, prior.Text, values)
	}
	object, d := types.ObjectValue(attrTypes(f.Kind), values)
	diags.Append(d...)
	*target = object
	return out, diags
}

// spelled gives the languages among the values of a text index as prior, if there is one, spells them.
func spelled(ctx context.Context, prior types.Object, values map[string]attr.Value) {
	before := prior.Attributes()
	if stemmer, ok := before["stemmer"].(types.String); ok {
		values["stemmer"] = sameLanguage(stemmer, values["stemmer"].(types.String))
	}
	if stopwords, ok := before["stopwords"].(types.Set); ok {
		values["stopwords"] = sameLanguages(ctx, stopwords, values["stopwords"].(types.Set))
	}
}

// shown is the effective value of one setting: what the server does not say is at its default.
func shown(ctx context.Context, name string, f client.FieldIndex, diags *diag.Diagnostics) attr.Value {
	text := client.TextIndex{}
	if f.Text != nil {
		text = *f.Text
	}
	switch name {
	case "on_disk":
		return flagOr(f.OnDisk, false)
	case "enable_hnsw":
		return flagOr(f.EnableHNSW, true)
	case "is_tenant":
		return flagOr(f.Tenant, false)
	case "prefix":
		return types.BoolValue(f.Prefix)
	case "is_principal":
		return flagOr(f.Principal, false)
	case "lookup":
		return flagOr(f.Lookup, true)
	case "range":
		return flagOr(f.Range, true)
	case "lowercase":
		return flagOr(text.Lowercase, true)
	case "phrase_matching":
		return flagOr(text.PhraseMatching, false)
	case "ascii_folding":
		return flagOr(text.ASCIIFolding, false)
	case "min_token_len":
		return numberOrNull(text.MinTokenLen)
	case "max_token_len":
		return numberOrNull(text.MaxTokenLen)
	case "stopwords":
		return wordsOrNull(ctx, text.Stopwords, diags)
	case "custom_stopwords":
		return wordsOrNull(ctx, text.CustomStopwords, diags)
	case "tokenizer":
		if text.Tokenizer == "" {
			return types.StringValue(defaultTokenizer)
		}
		return types.StringValue(text.Tokenizer)
	default: // stemmer
		if text.Stemmer == "" {
			return types.StringNull()
		}
		return types.StringValue(text.Stemmer)
	}
}

func flagOr(v *bool, fallback bool) types.Bool {
	if v == nil {
		return types.BoolValue(fallback)
	}
	return types.BoolValue(*v)
}

func numberOrNull(v *uint64) types.Int64 {
	if v == nil {
		return types.Int64Null()
	}
	return types.Int64Value(int64(*v))
}

func wordsOrNull(ctx context.Context, words []string, diags *diag.Diagnostics) types.Set {
	if len(words) == 0 {
		return types.SetNull(types.StringType)
	}
	out, d := types.SetValueFrom(ctx, types.StringType, words)
	diags.Append(d...)
	return out
}
