package quorum

import (
	"context"
	"math"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/function"
)

// NewSurvives returns the function survives.
func NewSurvives() function.Function { return survives{} }

type survives struct{}

func (survives) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "survives"
}

func (survives) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "How many peers may fail while writes go on",
		MarkdownDescription: "Returns how many of the peers that hold replicas of a shard may fail, all at once, while writes to it go on: as many must be left " +
			"as a write needs, and enough to know every write that was acknowledged. With a `write_consistency_factor` of 1 writes go on as long as one " +
			"replica is left, but what only the failed ones held is lost. Reads always go on as long as one replica is left. Needs Terraform 1.8 or OpenTofu 1.7.",
		Parameters: []function.Parameter{count("replication_factor", "Number of replicas of a shard."), count("write_consistency_factor",
			"Number of replicas that hold a write before it is acknowledged, at most `replication_factor`.")},
		Return: function.Int64Return{},
	}
}

func count(name, text string) function.Int64Parameter {
	return function.Int64Parameter{
		Name: name, MarkdownDescription: text, Validators: []function.Int64ParameterValidator{int64validator.Between(1, math.MaxUint32)},
	}
}

func (survives) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var replicas, factor int64
	resp.Error = req.Arguments.Get(ctx, &replicas, &factor)
	if resp.Error != nil {
		return
	}
	if factor > replicas {
		resp.Error = function.NewArgumentFuncError(1, "write_consistency_factor is more than replication_factor: no write could ever succeed")
		return
	}
	resp.Error = resp.Result.Set(ctx, int64(Survives(uint32(replicas), uint32(factor))))
}
