// Package query is what the list resources have in common: how `terraform query` is answered object by object.
//
// It promises that an object is given completely, as a read would, so that configuration which is generated from it plans no
// change; that no more are given than were asked for; and that an object which vanishes meanwhile is left out.
package query

import (
	"context"
	"iter"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// Item is one object: its name for people, its identity, and how it is read as a whole. A nil object is one that has vanished.
type Item struct {
	Name     string
	Identity any
	Read     func(context.Context) (any, diag.Diagnostics)
}

// Prefix is the schema of a list resource that is narrowed by how names begin.
func Prefix(what, noun string) schema.Schema {
	return schema.Schema{
		MarkdownDescription: what + " Needs Terraform 1.14.",
		Attributes: map[string]schema.Attribute{
			"name_prefix": schema.StringAttribute{Optional: true, MarkdownDescription: "Only " + noun + " whose names begin so. Not set: all."},
		},
	}
}

// Collection is the schema of a list resource that is about the collections whose names begin so.
func Collection(what string) schema.Schema {
	return schema.Schema{
		MarkdownDescription: what + " Needs Terraform 1.14.",
		Attributes: map[string]schema.Attribute{
			"collection_prefix": schema.StringAttribute{Optional: true, MarkdownDescription: "Only of collections whose names begin so. Not set: of all."},
		},
	}
}

// Answer streams items, of which all gives those whose name, or whose collection's name, begins as the configuration's
// attribute says.
func Answer(ctx context.Context, s *session.Data, req list.ListRequest, stream *list.ListResultsStream, attribute string,
	all func(ctx context.Context, matches func(string) bool) ([]Item, error),
) {
	var diags diag.Diagnostics
	var prefix types.String
	diags.Append(req.Config.GetAttribute(ctx, path.Root(attribute), &prefix)...)
	if diags.HasError() || !s.Ready(&diags) {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	items, err := all(ctx, func(name string) bool { return strings.HasPrefix(name, prefix.ValueString()) })
	if err != nil {
		diags.AddError("Cannot list", err.Error())
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	stream.Results = results(ctx, req, items)
}

func results(ctx context.Context, req list.ListRequest, items []Item) iter.Seq[list.ListResult] {
	return func(push func(list.ListResult) bool) {
		given := int64(0)
		for _, item := range items {
			if req.Limit > 0 && given >= req.Limit {
				return
			}
			result := req.NewListResult(ctx)
			result.DisplayName = item.Name
			result.Diagnostics.Append(result.Identity.Set(ctx, item.Identity)...)
			if req.IncludeResource {
				object, diags := item.Read(ctx)
				if object == nil && !diags.HasError() {
					continue
				}
				result.Diagnostics.Append(diags...)
				if object != nil {
					result.Diagnostics.Append(result.Resource.Set(ctx, object)...)
				}
			}
			if given++; !push(result) {
				return
			}
		}
	}
}

// NoTimeouts is a timeouts attribute that is not set.
func NoTimeouts(operations ...string) timeouts.Value {
	attrs := map[string]attr.Type{}
	for _, name := range operations {
		attrs[name] = types.StringType
	}
	return timeouts.Value{Object: types.ObjectNull(attrs)}
}
