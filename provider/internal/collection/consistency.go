package collection

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func consistencyWords() []string {
	return []string{client.Weak.String(), client.Quorum.String(), client.Strong.String()}
}

// meaning returns the factor that a word stands for with so many replicas, or unknown while either is unknown.
func meaning(word types.String, replicas types.Int64) types.Int64 {
	if word.IsUnknown() || replicas.IsUnknown() {
		return types.Int64Unknown()
	}
	consistency, err := client.ParseConsistency(word.ValueString())
	if err != nil {
		return types.Int64Null() // the validator has refused the word already
	}
	return types.Int64Value(int64(consistency.Factor(uint32(replicas.ValueInt64()))))
}

// observedWord returns the word as long as it means the factor that the server reports, and null once it does not: the
// next plan then shows both the word and the factor as changes.
func observedWord(word types.String, factor, replicas types.Int64) types.String {
	if word.IsNull() || meaning(word, replicas).Equal(factor) {
		return word
	}
	return types.StringNull()
}

// factorFollowsWord plans write_consistency_factor when the configuration leaves it out: the meaning of the word, which
// follows a change of replication_factor, or 1.
type factorFollowsWord struct{}

func (factorFollowsWord) Description(context.Context) string {
	return "Follows write_consistency and replication_factor when it is not set."
}

func (m factorFollowsWord) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

func (factorFollowsWord) PlanModifyInt64(ctx context.Context, req planmodifier.Int64Request, resp *planmodifier.Int64Response) {
	if req.Plan.Raw.IsNull() || !req.ConfigValue.IsNull() {
		return
	}
	var word types.String
	var replicas types.Int64
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("write_consistency"), &word)...)
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("replication_factor"), &replicas)...)
	if word.IsNull() {
		resp.PlanValue = types.Int64Value(1)
		return
	}
	resp.PlanValue = meaning(word, replicas)
}

// payloadFollowsM plans hnsw.payload_m when the configuration leaves it out: the server then uses m.
type payloadFollowsM struct{}

func (payloadFollowsM) Description(context.Context) string { return "Follows m when it is not set." }

func (m payloadFollowsM) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

func (payloadFollowsM) PlanModifyInt64(ctx context.Context, req planmodifier.Int64Request, resp *planmodifier.Int64Response) {
	if req.Plan.Raw.IsNull() || !req.ConfigValue.IsNull() {
		return
	}
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, req.Path.ParentPath().AtName("m"), &resp.PlanValue)...)
}
