package payloadindex

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/query"
)

// NewList returns the list resource ostraka_payload_index.
func NewList() list.ListResource { return &payloadIndex{} }

var _ list.ListResourceWithConfigure = (*payloadIndex)(nil)

func (p *payloadIndex) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = query.Collection("The payload indexes of a cluster's collections, with all of their settings.")
}

func (p *payloadIndex) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	query.Answer(ctx, p.session, req, stream, "collection_prefix", func(ctx context.Context, matches func(string) bool) ([]query.Item, error) {
		names, err := p.session.Client.ListCollections(ctx)
		var items []query.Item
		for _, name := range names {
			if !matches(name) {
				continue
			}
			found, err := p.session.Client.GetCollection(ctx, name)
			if client.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, field := range slices.Sorted(maps.Keys(found.Indexes)) {
				prior := model{
					Collection: types.StringValue(name), Field: types.StringValue(field), Timeouts: query.NoTimeouts("create", "update", "delete"),
				}
				items = append(items, query.Item{
					Name: name + "/" + field, Identity: prior.identity(),
					Read: func(ctx context.Context) (any, diag.Diagnostics) { return observe(ctx, prior, found.Indexes[field]) },
				})
			}
		}
		return items, err
	})
}
