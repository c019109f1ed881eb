package peer

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/query"
)

// NewList returns the list resource ostraka_peer.
func NewList() list.ListResource { return &peer{} }

var _ list.ListResourceWithConfigure = (*peer)(nil)

func (p *peer) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = query.Prefix("The peers of a cluster.", "peers")
}

func (p *peer) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	query.Answer(ctx, p.session, req, stream, "name_prefix", func(ctx context.Context, matches func(string) bool) ([]query.Item, error) {
		cluster, err := p.session.Client.Cluster(ctx)
		if err != nil {
			return nil, err
		}
		var items []query.Item
		for _, member := range cluster.Peers {
			if member.Replaced || !matches(member.Name) {
				continue
			}
			whole := observe(model{Timeouts: query.NoTimeouts("create", "update", "delete")}, member)
			items = append(items, query.Item{
				Name: member.Name, Identity: identity{types.StringValue(member.Name)},
				Read: func(context.Context) (any, diag.Diagnostics) { return whole, nil },
			})
		}
		return items, nil
	})
}
