package quorum

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/function"
)

// maxShards is how many shards a collection can have.
const maxShards = 1024

// NewShardsFor returns the function shards_for.
func NewShardsFor() function.Function { return shardsFor{} }

type shardsFor struct{}

func (shardsFor) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "shards_for"
}

func (shardsFor) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	number := func(name, text string, low int64) function.Int64Parameter {
		return function.Int64Parameter{
			Name: name, MarkdownDescription: text, Validators: []function.Int64ParameterValidator{int64validator.Between(low, 1<<53)},
		}
	}
	peers := number("peers", "Number of peers, at most once: the result is then a multiple of it, so that each peer leads as many shards.", 1)
	resp.Definition = function.Definition{
		Summary: "How many shards a number of points needs",
		MarkdownDescription: "Returns the smallest number of shards, at least 1 and at most 1024, of which none holds more than `points_per_shard` points. " +
			"Needs Terraform 1.8 or OpenTofu 1.7.",
		Parameters: []function.Parameter{
			number("points", "Number of points that are expected.", 0), number("points_per_shard", "Number of points that a shard shall hold at most.", 1),
		},
		VariadicParameter: peers,
		Return:            function.Int64Return{},
	}
}

func (shardsFor) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var points, perShard int64
	var peers []int64
	resp.Error = req.Arguments.Get(ctx, &points, &perShard, &peers)
	if resp.Error != nil {
		return
	}
	if len(peers) > 1 {
		resp.Error = function.NewArgumentFuncError(2, "peers may be given once")
		return
	}
	resp.Error = resp.Result.Set(ctx, ShardsFor(points, perShard, append(peers, 1)[0]))
}

// ShardsFor returns how many shards to have, a multiple of peers if that is within what a collection can have.
func ShardsFor(points, perShard, peers int64) int64 {
	shards := max(1, (points+perShard-1)/perShard)
	if rounded := (shards + peers - 1) / peers * peers; rounded <= maxShards {
		shards = rounded
	}
	return min(shards, maxShards)
}
