// Package quorum is the arithmetic of replicas, and the functions of the configuration language that give it: how many
// replicas make a majority, how many peers may fail, how many shards to have, how much memory vectors take.
//
// It is pure: it asks no cluster, and it promises the meanings that the cluster gives to the same numbers.
package quorum

import (
	"context"
	"math"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// New returns the function.
func New() function.Function { return quorum{} }

type quorum struct{}

func (quorum) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "quorum"
}

func (quorum) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "How many replicas make a majority",
		MarkdownDescription: "Returns how many of `replication_factor` replicas make a majority: the number that " +
			"`write_consistency = \"quorum\"` stands for. Needs Terraform 1.8 or OpenTofu 1.7.",
		Parameters: []function.Parameter{function.Int64Parameter{
			Name:                "replication_factor",
			MarkdownDescription: "Number of replicas of a shard, at least 1.",
			Validators:          []function.Int64ParameterValidator{int64validator.Between(1, math.MaxUint32)},
		}},
		Return: function.Int64Return{},
	}
}

func (quorum) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var replicas int64
	resp.Error = req.Arguments.Get(ctx, &replicas)
	if resp.Error != nil {
		return
	}
	resp.Error = resp.Result.Set(ctx, int64(client.Quorum.Factor(uint32(replicas))))
}
