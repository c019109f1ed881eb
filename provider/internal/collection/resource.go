// Package collection is the resource ostraka_collection.
//
// It owns the resource's schema, how its values map to the client's, what a plan may and may not do, and the order of
// the requests that an apply makes. It promises: state is what the server said after the write; only NotFound removes
// a collection from the state; what an interrupted apply reached is in the state, and the next one goes on from there;
// a plan is the same whether or not the cluster can be reached. It never touches points.
package collection

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/describe"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// typeName is the resource's name in configurations.
const typeName = "ostraka_collection"

// How long operations may take unless the timeouts attribute says otherwise; readBack is what a failed one gets to
// find out what it reached.
const (
	createTimeout = 5 * time.Minute
	updateTimeout = 2 * time.Hour
	deleteTimeout = 10 * time.Minute
	readBack      = 10 * time.Second
)

// New returns the resource.
func New() resource.Resource { return &collection{} }

type collection struct {
	session *session.Data
}

var (
	_ resource.ResourceWithConfigure      = (*collection)(nil)
	_ resource.ResourceWithIdentity       = (*collection)(nil)
	_ resource.ResourceWithImportState    = (*collection)(nil)
	_ resource.ResourceWithModifyPlan     = (*collection)(nil)
	_ resource.ResourceWithValidateConfig = (*collection)(nil)
)

func (c *collection) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName
}

func (c *collection) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = describe.Resource(ctx, resourceSchema(ctx), "collection")
}

func (c *collection) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identitySchema()
}

func (c *collection) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	c.session = session.From(req.ProviderData, &resp.Diagnostics)
}

// ImportState takes the name, as the id or in the identity. Everything else is read.
func (c *collection) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughWithIdentity(ctx, path.Root("name"), path.Root("name"), req, resp)
	var name types.String
	resp.Diagnostics.Append(resp.State.GetAttribute(ctx, path.Root("name"), &name)...)
	if !resp.Diagnostics.HasError() && c.session.Online() {
		c.refuseAlias(ctx, name.ValueString(), &resp.Diagnostics)
	}
}

// refuseAlias stops the import of an alias: reading would follow it, but a collection must have one name here. When the
// aliases cannot be listed, the read that follows an import says why.
func (c *collection) refuseAlias(ctx context.Context, name string, diags *diag.Diagnostics) {
	aliases, err := c.session.Client.ListAliases(ctx)
	if err != nil {
		return
	}
	for _, alias := range aliases {
		if alias.Name == name {
			diags.AddAttributeError(path.Root("name"), "This is the name of an alias",
				fmt.Sprintf("%q is an alias of collection %q. Import the collection by its own name.", name, alias.Collection))
		}
	}
}
