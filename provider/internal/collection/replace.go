package collection

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/objectplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// The modifiers below replace the collection when an attribute of a vector changes, and not when the vector is a new one. Their
// text is worded as the framework words its own, which package describe looks for.
const replacesText = "If a vector that exists changes in this, Terraform will destroy and recreate the resource."

func int64Replaces() planmodifier.Int64 {
	return int64planmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.Int64Request, resp *int64planmodifier.RequiresReplaceIfFuncResponse) {
		resp.RequiresReplace = existed(ctx, req.State, req.Path, &resp.Diagnostics)
	}, replacesText, replacesText)
}

func stringReplaces() planmodifier.String {
	return stringplanmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.StringRequest, resp *stringplanmodifier.RequiresReplaceIfFuncResponse) {
		resp.RequiresReplace = existed(ctx, req.State, req.Path, &resp.Diagnostics)
	}, replacesText, replacesText)
}

func objectReplaces() planmodifier.Object {
	return objectplanmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.ObjectRequest, resp *objectplanmodifier.RequiresReplaceIfFuncResponse) {
		resp.RequiresReplace = existed(ctx, req.State, req.Path, &resp.Diagnostics)
	}, replacesText, replacesText)
}

// existed reports whether the vector that an attribute belongs to is in the state: at is MAP["name"].attribute.
func existed(ctx context.Context, state tfsdk.State, at path.Path, diags *diag.Diagnostics) bool {
	steps := at.Steps()
	if len(steps) < 2 {
		return true
	}
	root, okay := steps[0].(path.PathStepAttributeName)
	key, ok := steps[1].(path.PathStepElementKeyString)
	if !ok || !okay {
		return true
	}
	var vectors types.Map
	diags.Append(state.GetAttribute(ctx, path.Root(string(root)), &vectors)...)
	_, found := vectors.Elements()[string(key)]
	return found
}

// keepOfExisting plans what the state holds, null included, for a vector that exists, and leaves the choice of a new one's to
// the server.
type keepOfExisting struct{}

func (keepOfExisting) Description(context.Context) string { return "A vector that exists keeps it." }

func (k keepOfExisting) MarkdownDescription(ctx context.Context) string { return k.Description(ctx) }

func (keepOfExisting) PlanModifyInt64(ctx context.Context, req planmodifier.Int64Request, resp *planmodifier.Int64Response) {
	if req.Plan.Raw.IsNull() || req.State.Raw.IsNull() || !req.ConfigValue.IsNull() || !req.PlanValue.IsUnknown() {
		return
	}
	if existed(ctx, req.State, req.Path, &resp.Diagnostics) {
		resp.PlanValue = req.StateValue
	}
}
