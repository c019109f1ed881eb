package provider

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// The environment stands in for what the configuration leaves out.
const (
	envEndpoints = "OSTRAKA_ENDPOINTS"
	envAPIKey    = "OSTRAKA_API_KEY"
)

type configModel struct {
	Endpoints  types.List   `tfsdk:"endpoints"`
	APIKey     types.String `tfsdk:"api_key"`
	TLS        types.Object `tfsdk:"tls"`
	PlanChecks types.String `tfsdk:"plan_checks"`
}

type tlsModel struct {
	CAFile             types.String `tfsdk:"ca_file"`
	CertFile           types.String `tfsdk:"cert_file"`
	KeyFile            types.String `tfsdk:"key_file"`
	ServerName         types.String `tfsdk:"server_name"`
	InsecureSkipVerify types.Bool   `tfsdk:"insecure_skip_verify"`
}

func (p *ostraka) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Declares the collections of an Ostraka cluster, a distributed vector store that speaks Qdrant's API. " +
			"It can manage the collections of a plain Qdrant as well, without what concerns peers and placement.",
		Attributes: map[string]schema.Attribute{
			"endpoints": schema.ListAttribute{
				ElementType: types.StringType, Optional: true,
				MarkdownDescription: "gRPC addresses (`HOST:PORT`) of one or more nodes of one cluster, the preferred one first. Default: the comma-separated " +
					"list in `" + envEndpoints + "`.",
				Validators: []validator.List{
					listvalidator.SizeAtLeast(1), listvalidator.NoNullValues(),
					listvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1)),
				},
			},
			"api_key": schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "API key that the nodes ask for. Default: `" + envAPIKey + "`.",
			},
			"tls": tlsAttribute(),
			"plan_checks": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "What becomes of a plan that the live cluster cannot fulfil, such as more replicas than peers: `error` (default) fails it, " +
					"`warn` lets it pass with a warning, `off` does not ask the cluster. A cluster that cannot be reached is never more than a warning.",
				Validators: []validator.String{stringvalidator.OneOf(session.AllChecks()...)},
			},
		},
	}
}

func tlsAttribute() schema.Attribute {
	file := func(text string) schema.Attribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: text}
	}
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "Turns on TLS. `tls = {}` uses the system's certificate authorities.",
		Attributes: map[string]schema.Attribute{
			"ca_file":     file("PEM file of the certificate authorities to trust instead of the system's."),
			"cert_file":   file("PEM file of the client's certificate, for mutual TLS. Needs `key_file`."),
			"key_file":    file("PEM file of the key of `cert_file`."),
			"server_name": file("Name to check in the nodes' certificates instead of the endpoint's host."),
			"insecure_skip_verify": schema.BoolAttribute{
				Optional: true, MarkdownDescription: "Accept any certificate. For experiments only.",
			},
		},
	}
}

// Configure prepares the client. It uses no network: connections are made when they are needed.
func (p *ostraka) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var config configModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	checks := session.Checks(config.PlanChecks.ValueString())
	if checks == "" {
		checks = session.Error
	}
	data := session.New(nil, checks)
	if !config.unknown() {
		data.Client = p.client(ctx, config, &resp.Diagnostics)
	}
	resp.ResourceData, resp.DataSourceData, resp.ListResourceData, resp.ActionData = data, data, data, data
}

// unknown reports whether a value comes from something that this very apply creates.
func (c configModel) unknown() bool {
	if c.Endpoints.IsUnknown() || c.APIKey.IsUnknown() || c.TLS.IsUnknown() || c.PlanChecks.IsUnknown() {
		return true
	}
	for _, endpoint := range c.Endpoints.Elements() {
		if endpoint.IsUnknown() {
			return true
		}
	}
	for _, value := range c.TLS.Attributes() {
		if value.IsUnknown() {
			return true
		}
	}
	return false
}

func (p *ostraka) client(ctx context.Context, config configModel, diags *diag.Diagnostics) *client.Client {
	endpoints := config.endpoints(ctx, diags)
	if diags.HasError() {
		return nil
	}
	if len(endpoints) == 0 {
		diags.AddAttributeError(path.Root("endpoints"), "No endpoint of the cluster",
			"Say where the cluster is: set endpoints in the provider block, such as endpoints = [\"127.0.0.1:6334\"], or the environment "+
				"variable "+envEndpoints+" to a comma-separated list.")
		return nil
	}
	c, err := client.New(client.Config{
		Endpoints: endpoints, APIKey: or(config.APIKey, os.Getenv(envAPIKey)), TLS: config.tls(ctx, diags),
		UserAgent: fmt.Sprintf("terraform-provider-ostraka/%s", p.version),
	})
	if err != nil {
		diags.AddError("Cannot use the provider's configuration", err.Error())
		return nil
	}
	return c
}

func (c configModel) endpoints(ctx context.Context, diags *diag.Diagnostics) []string {
	var out []string
	if !c.Endpoints.IsNull() {
		diags.Append(c.Endpoints.ElementsAs(ctx, &out, false)...)
		return out
	}
	for _, endpoint := range strings.Split(os.Getenv(envEndpoints), ",") {
		if endpoint = strings.TrimSpace(endpoint); endpoint != "" {
			out = append(out, endpoint)
		}
	}
	return out
}

func (c configModel) tls(ctx context.Context, diags *diag.Diagnostics) *client.TLS {
	if c.TLS.IsNull() {
		return nil
	}
	var m tlsModel
	diags.Append(c.TLS.As(ctx, &m, basetypes.ObjectAsOptions{})...)
	return &client.TLS{
		CAFile: m.CAFile.ValueString(), CertFile: m.CertFile.ValueString(), KeyFile: m.KeyFile.ValueString(),
		ServerName: m.ServerName.ValueString(), InsecureSkipVerify: m.InsecureSkipVerify.ValueBool(),
	}
}

func or(v types.String, fallback string) string {
	if v.IsNull() {
		return fallback
	}
	return v.ValueString()
}
