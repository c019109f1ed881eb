// Package alias is the resource ostraka_alias: one more name of a collection.
//
// It owns the swap: that an alias leads to another collection is one request, so that no client ever finds it missing. It
// promises that an alias that somebody else has made is never taken over unseen, and that one which was moved shows in the
// next plan. It never touches collections.
package alias

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/describe"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// typeName is the resource's name in configurations.
const typeName = "ostraka_alias"

// timeout bounds one change, its repetitions included: it moves no data. readBack is what finding out its outcome may take.
const (
	timeout  = 2 * time.Minute
	readBack = 10 * time.Second
)

// nameRule is the server's, as for collections.
var nameRule = regexp.MustCompile("^[^<>:\"/\\\\|?*\\x00\\x1f]*$")

// New returns the resource.
func New() resource.Resource { return &alias{} }

type alias struct {
	session *session.Data
}

var (
	_ resource.ResourceWithConfigure   = (*alias)(nil)
	_ resource.ResourceWithIdentity    = (*alias)(nil)
	_ resource.ResourceWithImportState = (*alias)(nil)
)

type model struct {
	Name       types.String `tfsdk:"name"`
	Collection types.String `tfsdk:"collection"`
}

type identity struct {
	Name types.String `tfsdk:"name"`
}

func (a *alias) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName
}

func (a *alias) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = describe.Resource(ctx, resourceSchema(), "alias")
}

func resourceSchema() schema.Schema {
	name := func(text string, replaces bool) schema.StringAttribute {
		attr := schema.StringAttribute{
			Required: true, MarkdownDescription: text,
			Validators: []validator.String{
				stringvalidator.LengthBetween(1, 255), stringvalidator.RegexMatches(nameRule, "must not contain any of < > : \" / \\ | ? *"),
			},
		}
		if replaces {
			attr.PlanModifiers = []planmodifier.String{stringplanmodifier.RequiresReplace()}
		}
		return attr
	}
	return schema.Schema{
		MarkdownDescription: "An alias: one more name of a collection, which clients use like the collection's own.\n\n" +
			"Letting it lead to another collection is one atomic step: no request finds it missing. So a collection is changed in what cannot be " +
			"changed in place without downtime: declare a second one, fill it, let the alias lead there, and remove the first one **in a later " +
			"apply**, for deleting a collection deletes the aliases that lead to it.",
		Attributes: map[string]schema.Attribute{
			"name": name("Name of the alias. No collection may have it. The rules for names of collections hold.", true),
			"collection": name("Name of the collection that it leads to: its own name, not an alias. Changing it is atomic: at no time is the "+
				"alias missing or does it lead to both.", false),
		},
	}
}

func (a *alias) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"name": identityschema.StringAttribute{RequiredForImport: true, Description: "Name of the alias."},
	}}
}

func (a *alias) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	a.session = session.From(req.ProviderData, &resp.Diagnostics)
}

// ImportState takes the name, as the id or in the identity.
func (a *alias) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	resource.ImportStatePassthroughWithIdentity(ctx, path.Root("name"), path.Root("name"), req, resp)
}

// leadsTo tells where an alias leads, for people.
func leadsTo(name, collection string) string {
	return fmt.Sprintf("There is an alias %q of collection %q", name, collection)
}
