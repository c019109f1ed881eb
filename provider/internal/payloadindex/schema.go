package payloadindex

import (
	"context"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

const (
	defaultTokenizer = "Word"
	maxTokenLen      = 1 << 16
)

// nameRule is the server's for collections.
var nameRule = regexp.MustCompile("^[^<>:\"/\\\\|?*\\x00\\x1f]*$")

// allKinds lists the kinds as their attributes are called.
func allKinds() []client.IndexKind {
	return []client.IndexKind{
		client.KeywordIndex, client.IntegerIndex, client.FloatIndex, client.GeoIndex, client.TextIndexKind, client.BoolIndex,
		client.DatetimeIndex, client.UUIDIndex,
	}
}

// of returns the attribute of a kind.
func (m *model) of(kind client.IndexKind) *types.Object {
	return map[client.IndexKind]*types.Object{
		client.KeywordIndex: &m.Keyword, client.IntegerIndex: &m.Integer, client.FloatIndex: &m.Float, client.GeoIndex: &m.Geo,
		client.TextIndexKind: &m.Text, client.BoolIndex: &m.Bool, client.DatetimeIndex: &m.Datetime, client.UUIDIndex: &m.UUID,
	}[kind]
}

func resourceSchema(ctx context.Context) schema.Schema {
	attrs := map[string]schema.Attribute{
		"collection": schema.StringAttribute{
			Required: true, MarkdownDescription: "Name of the collection.",
			Validators: []validator.String{
				stringvalidator.LengthBetween(1, 255), stringvalidator.RegexMatches(nameRule, "must not contain any of < > : \" / \\ | ? *"),
			},
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"field": schema.StringAttribute{
			Required: true, MarkdownDescription: "Path of the payload field, such as `tenant`, `address.city`, `tags[]` or `\"with space\".n`; with " +
				"quotes only where a key has others than letters, digits, `_` and `-`.",
			Validators:    []validator.String{stringvalidator.LengthBetween(1, 255), plainlyQuoted{}},
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"timeouts": timeoutsAttribute(ctx),
	}
	texts := map[client.IndexKind]string{
		client.KeywordIndex:  "Texts that are matched as a whole, such as names and tags.",
		client.IntegerIndex:  "Whole numbers.",
		client.FloatIndex:    "Numbers, by range.",
		client.GeoIndex:      "Places: objects with `lon` and `lat`.",
		client.TextIndexKind: "Texts that are matched by their words.",
		client.BoolIndex:     "True and false.",
		client.DatetimeIndex: "Points in time, as RFC 3339 text.",
		client.UUIDIndex:     "UUIDs.",
	}
	for _, kind := range allKinds() {
		attrs[string(kind)] = schema.SingleNestedAttribute{
			Optional: true, MarkdownDescription: texts[kind] + " Exactly one of the kinds is given; a change builds the index anew.",
			Attributes: settings(kind),
		}
	}
	return schema.Schema{
		MarkdownDescription: "The index of one field of a collection's payloads: filters by the field become fast, also within a search.\n\n" +
			"An index is declared for the collection as a whole and kept on every replica, those to come included.",
		Attributes: attrs,
	}
}

func flag(text string, fallback bool) schema.BoolAttribute {
	return schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(fallback), MarkdownDescription: text}
}

// settings are the attributes of one kind.
func settings(kind client.IndexKind) map[string]schema.Attribute {
	out := map[string]schema.Attribute{
		"on_disk":     flag("Keep the index on disk instead of in memory.", false),
		"enable_hnsw": flag("Let the field's values have graphs of their own, as the collection's `payload_m` says.", true),
	}
	switch kind {
	case client.KeywordIndex:
		out["is_tenant"] = flag(textTenant, false)
		out["prefix"] = flag("Match values by how they begin, too.", false)
	case client.UUIDIndex:
		out["is_tenant"] = flag(textTenant, false)
	case client.IntegerIndex:
		out["lookup"] = flag("Match single values.", true)
		out["range"] = flag("Match ranges.", true)
		out["is_principal"] = flag(textPrincipal, false)
	case client.FloatIndex, client.DatetimeIndex:
		out["is_principal"] = flag(textPrincipal, false)
	case client.TextIndexKind:
		textSettings(out)
	default:
	}
	return out
}

const (
	textTenant    = "Nearly all requests filter by one value of this field: values of many points have graphs of their own, as the collection's `payload_m` says."
	textPrincipal = "Nearly all requests filter by a range of this field: points are kept in its order."
)

func textSettings(out map[string]schema.Attribute) {
	length := func(text string) schema.Int64Attribute {
		return schema.Int64Attribute{Optional: true, MarkdownDescription: text, Validators: []validator.Int64{int64validator.Between(1, maxTokenLen)}}
	}
	words := func(text string, each ...validator.String) schema.SetAttribute {
		checks := []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues()}
		if len(each) > 0 {
			checks = append(checks, setvalidator.ValueStringsAre(each...))
		}
		return schema.SetAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: text, Validators: checks}
	}
	out["tokenizer"] = schema.StringAttribute{
		Optional: true, Computed: true, Default: stringdefault.StaticString(defaultTokenizer),
		MarkdownDescription: "How texts are cut into words. Default: `" + defaultTokenizer + "`.",
		Validators:          []validator.String{stringvalidator.OneOf(client.Tokenizers()...)},
	}
	out["lowercase"] = flag("Do not tell capital letters from small ones.", true)
	out["phrase_matching"] = flag("Match phrases: words in their order.", false)
	out["ascii_folding"] = flag("Do not tell letters with accents from those without.", false)
	out["min_token_len"] = length("Leave out shorter words. Not set: none are left out.")
	out["max_token_len"] = length("Leave out longer words. Not set: none are left out.")
	stop := oneLanguage{names: client.StopwordLanguages()}
	stem := oneLanguage{names: client.StemmerLanguages(), other: client.StemmerDisabled}
	out["stopwords"] = words("Languages whose commonest words are left out, by name or code: "+stop.list()+". A cluster refuses those of which it has no words.", stop)
	out["custom_stopwords"] = words("More words to leave out.")
	out["stemmer"] = schema.StringAttribute{
		Optional: true, Validators: []validator.String{stem},
		MarkdownDescription: "Language by whose rules words are cut to their stems, by name or code: " + strings.Join(stem.names, ", ") +
			". A cluster refuses those of which it has no rules. Not set, or `" + stem.other + "`: words stay whole.",
	}
}

// attrTypes are the types of settings.
func attrTypes(kind client.IndexKind) map[string]attr.Type {
	out := map[string]attr.Type{}
	for name, attribute := range settings(kind) {
		out[name] = attribute.GetType()
	}
	return out
}

func timeoutsAttribute(ctx context.Context) schema.Attribute {
	attribute, ok := timeouts.Attributes(ctx, timeouts.Opts{
		Create: true, Update: true, Delete: true,
		CreateDescription: "How long to wait for the index. Default: `30m`. A duration such as `90s` or `1h30m`.",
		UpdateDescription: "How long to wait for a change. Default: `30m`.",
		DeleteDescription: "How long to wait for the removal. Default: `30m`.",
	}).(schema.SingleNestedAttribute)
	if ok {
		attribute.MarkdownDescription = "How long each operation may take."
	}
	return attribute
}
