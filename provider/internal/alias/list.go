package alias

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/query"
)

// NewList returns the list resource ostraka_alias.
func NewList() list.ListResource { return &alias{} }

var _ list.ListResourceWithConfigure = (*alias)(nil)

func (a *alias) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = query.Prefix("The aliases of a cluster.", "aliases")
}

func (a *alias) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	query.Answer(ctx, a.session, req, stream, "name_prefix", func(ctx context.Context, matches func(string) bool) ([]query.Item, error) {
		aliases, err := a.session.Client.ListAliases(ctx)
		var items []query.Item
		for _, one := range aliases {
			if !matches(one.Name) {
				continue
			}
			whole := model{types.StringValue(one.Name), types.StringValue(one.Collection)}
			items = append(items, query.Item{
				Name: one.Name, Identity: identity{whole.Name}, Read: func(context.Context) (any, diag.Diagnostics) { return whole, nil },
			})
		}
		return items, err
	})
}
