package shardkey

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/query"
)

// NewList returns the list resource ostraka_shard_key.
func NewList() list.ListResource { return &shardKey{} }

var _ list.ListResourceWithConfigure = (*shardKey)(nil)

func (s *shardKey) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = query.Collection("The shard keys of a cluster's collections, with all of their settings.")
}

func (s *shardKey) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	query.Answer(ctx, s.session, req, stream, "collection_prefix", func(ctx context.Context, matches func(string) bool) ([]query.Item, error) {
		names, err := s.session.Client.ListCollections(ctx)
		var items []query.Item
		for _, name := range names {
			if !matches(name) {
				continue
			}
			keys, err := s.session.Client.ListShardKeys(ctx, name)
			if client.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, key := range keys {
				prior := prior(name, key)
				items = append(items, query.Item{Name: prior.id(), Identity: prior.identity(), Read: s.whole(prior)})
			}
		}
		return items, err
	})
}

func prior(name string, key client.ShardKey) model {
	m := model{
		Collection: types.StringValue(name), Key: types.StringNull(), KeyNumber: types.Int64Null(), Placement: types.SetNull(types.Int64Type),
		Timeouts: query.NoTimeouts("create", "update", "delete"),
	}
	if key.Keyword != "" {
		m.Key = types.StringValue(key.Keyword)
	} else {
		m.KeyNumber = types.Int64Value(int64(key.Number))
	}
	return m
}

func (s *shardKey) whole(prior model) func(context.Context) (any, diag.Diagnostics) {
	return func(ctx context.Context) (any, diag.Diagnostics) {
		m, exists, _, err := s.observe(ctx, prior, false)
		if err != nil {
			return nil, diag.Diagnostics{diag.NewErrorDiagnostic("Cannot read shard key "+prior.id(), err.Error())}
		}
		if !exists {
			return nil, nil
		}
		return m, nil
	}
}
