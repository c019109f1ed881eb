package payloadindex

import (
	"context"
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// plainlyQuoted refuses paths with quotes that they do without: the cluster calls an index by its field's shortest path, and would
// seem not to have one of another name.
type plainlyQuoted struct{}

var needless = regexp.MustCompile(`"([\pL\pN_-]+)"`)

// Description implements validator.Describer.
func (plainlyQuoted) Description(context.Context) string {
	return "has quotes only around keys with others than letters, digits, _ and -"
}

// MarkdownDescription implements validator.Describer.
func (v plainlyQuoted) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements validator.String.
func (plainlyQuoted) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	field := req.ConfigValue.ValueString()
	if plain := needless.ReplaceAllString(field, "$1"); plain != field {
		resp.Diagnostics.AddAttributeError(req.Path, "Needless quotes",
			fmt.Sprintf("The cluster calls the field %s by its shortest path: write %q.", field, plain))
	}
}
