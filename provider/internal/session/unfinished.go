package session

import (
	"context"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// unfinishedKey marks, in the private part of a state, a change that ended before the cluster had made all of it.
const unfinishedKey = "unfinished"

// UnfinishedAttribute shows what is left of a change that was cut short. It is planned to be nothing: so whatever is declared next is a
// change, also if it is what is there so far, while the cluster is on its way to something else.
func UnfinishedAttribute() schema.Attribute {
	return schema.StringAttribute{
		Computed: true,
		MarkdownDescription: "What the cluster has not reached yet of a change that was cut short, by a time-out or Ctrl-C, or of copies that are to heal. The next apply " +
			"waits for it, or turns it round where something else is declared by then. Null otherwise.",
		PlanModifiers: []planmodifier.String{nothing{}},
	}
}

// Left is the value of UnfinishedAttribute where some things are left, each said in a text.
func Left(texts []string) types.String {
	if len(texts) == 0 {
		return types.StringNull()
	}
	return types.StringValue(strings.Join(texts, "; "))
}

// nothing plans null.
type nothing struct{}

func (nothing) Description(context.Context) string { return "Is reached." }

func (n nothing) MarkdownDescription(ctx context.Context) string { return n.Description(ctx) }

func (nothing) PlanModifyString(_ context.Context, _ planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	resp.PlanValue = types.StringNull()
}

// Private is the private part of a state, as the framework gives it.
type Private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// IsUnfinished reports whether the last change of a resource ended before the cluster had made all of it. Its state then shows
// what is left of it, so that the next plan is not empty and its apply goes on waiting.
func IsUnfinished(ctx context.Context, p Private) bool {
	value, diags := p.GetKey(ctx, unfinishedKey)
	return !diags.HasError() && string(value) == "true"
}

// MarkUnfinished notes for IsUnfinished.
func MarkUnfinished(ctx context.Context, p Private, unfinished bool, diags *diag.Diagnostics) {
	if IsUnfinished(ctx, p) != unfinished {
		diags.Append(p.SetKey(ctx, unfinishedKey, []byte(strconv.FormatBool(unfinished)))...)
	}
}
