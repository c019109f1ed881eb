package payloadindex

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// oneLanguage accepts languages by name or code, in small or capital letters, and what else a setting can be.
type oneLanguage struct {
	names []string
	other string // "": nothing
}

// Description implements validator.Describer.
func (v oneLanguage) Description(context.Context) string {
	return "is the name or the code of a language: " + v.list()
}

// MarkdownDescription implements validator.Describer.
func (v oneLanguage) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (v oneLanguage) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	given := req.ConfigValue.ValueString()
	if given != "" && given == v.other || slices.Contains(v.names, client.LanguageName(given)) {
		return
	}
	resp.Diagnostics.AddAttributeError(req.Path, "Unknown language", fmt.Sprintf("%q is none of: %s.", given, v.list()))
}

func (v oneLanguage) list() string {
	if v.other == "" {
		return strings.Join(v.names, ", ")
	}
	return strings.Join(v.names, ", ") + "; or " + v.other
}

// sameLanguage returns what the server shows, as prior spells it if that means the same: some servers show what they call a language.
func sameLanguage(prior, shown types.String) types.String {
	if !prior.IsNull() && !prior.IsUnknown() && !shown.IsNull() && client.LanguageName(prior.ValueString()) == client.LanguageName(shown.ValueString()) {
		return prior
	}
	return shown
}

// sameLanguages is sameLanguage of sets.
func sameLanguages(ctx context.Context, prior, shown types.Set) types.Set {
	names := func(s types.Set) (out []string) {
		var given []types.String
		s.ElementsAs(ctx, &given, false)
		for _, g := range given {
			out = append(out, client.LanguageName(g.ValueString()))
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	if !prior.IsNull() && !prior.IsUnknown() && !shown.IsNull() && slices.Equal(names(prior), names(shown)) {
		return prior
	}
	return shown
}
