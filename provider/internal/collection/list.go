package collection

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/query"
)

// NewList returns the list resource ostraka_collection.
func NewList() list.ListResource { return &collection{} }

var _ list.ListResourceWithConfigure = (*collection)(nil)

func (c *collection) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = query.Prefix("The collections of a cluster, with all of their settings: `terraform query -generate-config-out` writes configuration that adopts "+
		"them without a change.", "collections")
}

func (c *collection) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	query.Answer(ctx, c.session, req, stream, "name_prefix", func(ctx context.Context, matches func(string) bool) ([]query.Item, error) {
		names, err := c.session.Client.ListCollections(ctx)
		var items []query.Item
		for _, name := range names {
			if matches(name) {
				items = append(items, query.Item{Name: name, Identity: identity{types.StringValue(name)}, Read: c.whole(name)})
			}
		}
		return items, err
	})
}

// whole reads one collection as an import does.
func (c *collection) whole(name string) func(context.Context) (any, diag.Diagnostics) {
	return func(ctx context.Context) (any, diag.Diagnostics) {
		found, err := c.session.Client.GetCollection(ctx, name)
		if client.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, diag.Diagnostics{diag.NewErrorDiagnostic("Cannot read collection "+name, err.Error())}
		}
		return observe(ctx, model{Timeouts: query.NoTimeouts("create", "update", "delete")}, found)
	}
}
