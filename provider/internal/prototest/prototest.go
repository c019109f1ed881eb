// Package prototest drives a provider as a command line does, through the plugin protocol and within the test's own
// process: configure, validate, plan, apply, refresh, import, destroy.
//
// It owns the part of the work that Terraform does between the calls: merging configuration and prior state into a
// proposal, and checking that what comes back is consistent with what was planned. A round trip takes milliseconds, so
// that thousands of random configurations fit into a test. It promises to fail the test when the provider breaks the
// protocol's rules; a few tests with a real command line keep it honest. It is used by tests only.
package prototest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// T is what a test and a rapid check have in common.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Config is a configuration: attribute names to string, bool, int, float64, []any, Config, nil or Unknown. What is left
// out is null.
type Config map[string]any

// Unknown stands for a value that is known only after an apply.
var Unknown = new(int)

// Provider is a configured provider.
type Provider struct {
	server    tfprotov6.ProviderServer
	resources map[string]*tfprotov6.Schema
	data      map[string]*tfprotov6.Schema
}

// Resource is one resource as a command line stores it: the state is null when there is none.
type Resource struct {
	State    tftypes.Value
	Identity *tfprotov6.ResourceIdentityData
	private  []byte
}

// Plan is what a provider would do with a resource.
type Plan struct {
	Prior, Planned tftypes.Value
	Replace        []string // attribute paths
	Diagnostics    Diagnostics
	config         tftypes.Value
	private        []byte
	identity       *tfprotov6.ResourceIdentityData
	resource       string
}

// Diagnostics are a provider's errors and warnings.
type Diagnostics []*tfprotov6.Diagnostic

// Errors returns the errors as "summary: detail (at path)".
func (d Diagnostics) Errors() []string { return d.of(tfprotov6.DiagnosticSeverityError) }

// Warnings returns the warnings in the same form.
func (d Diagnostics) Warnings() []string { return d.of(tfprotov6.DiagnosticSeverityWarning) }

func (d Diagnostics) of(severity tfprotov6.DiagnosticSeverity) []string {
	var out []string
	for _, one := range d {
		if one.Severity != severity {
			continue
		}
		text := one.Summary + ": " + one.Detail
		if one.Attribute != nil && len(one.Attribute.Steps()) > 0 {
			text += " (at " + pathText(one.Attribute) + ")"
		}
		out = append(out, text)
	}
	return out
}

// New starts a provider and reads its schemas.
func New(t T, p func() provider.Provider) *Provider {
	t.Helper()
	server := providerserver.NewProtocol6(p())()
	resp, err := server.GetProviderSchema(context.Background(), &tfprotov6.GetProviderSchemaRequest{})
	must(t, err, resp.Diagnostics)
	out := &Provider{server: server, resources: resp.ResourceSchemas, data: resp.DataSourceSchemas}
	return out
}

// Configure gives the provider its configuration.
func (p *Provider) Configure(t T, config Config) Diagnostics {
	t.Helper()
	schemas, err := p.server.GetProviderSchema(context.Background(), &tfprotov6.GetProviderSchemaRequest{})
	must(t, err, nil)
	value := encode(t, schemas.Provider.ValueType(), build(t, schemas.Provider.ValueType(), config))
	resp, err := p.server.ConfigureProvider(context.Background(), &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.12.0", Config: value,
	})
	must(t, err, nil)
	return resp.Diagnostics
}

// None returns a resource that does not exist yet.
func (p *Provider) None(resource string) *Resource {
	return &Resource{State: tftypes.NewValue(p.resources[resource].ValueType(), nil)}
}

// Exists reports whether the resource is in the state.
func (r *Resource) Exists() bool { return !r.State.IsNull() }

// Validate checks a configuration.
func (p *Provider) Validate(t T, resource string, config Config) Diagnostics {
	t.Helper()
	typ := p.resources[resource].ValueType()
	resp, err := p.server.ValidateResourceConfig(context.Background(), &tfprotov6.ValidateResourceConfigRequest{
		TypeName: resource, Config: encode(t, typ, build(t, typ, config)),
	})
	must(t, err, nil)
	return resp.Diagnostics
}

// Plan plans to make prior as config says; a nil config plans to destroy it.
func (p *Provider) Plan(t T, resource string, prior *Resource, config Config) *Plan {
	t.Helper()
	schema := p.resources[resource]
	typ := schema.ValueType()
	configured := tftypes.NewValue(typ, nil)
	proposed := configured
	if config != nil {
		configured = build(t, typ, config)
		proposed = propose(t, schema, prior.State, configured)
	}
	resp, err := p.server.PlanResourceChange(context.Background(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: resource, PriorState: encode(t, typ, prior.State), ProposedNewState: encode(t, typ, proposed),
		Config: encode(t, typ, configured), PriorPrivate: prior.private, PriorIdentity: prior.Identity,
	})
	must(t, err, nil)
	plan := &Plan{
		Prior: prior.State, Planned: tftypes.NewValue(typ, nil), Diagnostics: resp.Diagnostics, config: configured,
		private: resp.PlannedPrivate, identity: resp.PlannedIdentity, resource: resource,
	}
	if plan.identity == nil {
		plan.identity = prior.Identity
	}
	if resp.PlannedState != nil {
		plan.Planned = decode(t, typ, resp.PlannedState)
	}
	if len(plan.Diagnostics.Errors()) == 0 {
		checkPlanned(t, schema, configured, plan.Planned)
	}
	for _, path := range resp.RequiresReplace {
		if plan.changes(path) {
			plan.Replace = append(plan.Replace, pathText(path))
		}
	}
	slices.Sort(plan.Replace)
	return plan
}

// changes reports whether the value at path differs: a path to replace counts only then.
func (p *Plan) changes(path *tftypes.AttributePath) bool {
	if p.Prior.IsNull() {
		return false
	}
	before, _, errBefore := tftypes.WalkAttributePath(p.Prior, path)
	after, _, errAfter := tftypes.WalkAttributePath(p.Planned, path)
	if errBefore != nil || errAfter != nil {
		return true
	}
	old, ok := before.(tftypes.Value)
	planned, okay := after.(tftypes.Value)
	return !ok || !okay || !old.Equal(planned)
}

// Changes returns the paths of the leaves that the plan changes, sorted; none for an empty plan.
func (p *Plan) Changes() []string { return Diff(p.Prior, p.Planned) }

// Apply applies a plan and checks that the result keeps what was planned.
func (p *Provider) Apply(t T, plan *Plan) (*Resource, Diagnostics) {
	t.Helper()
	return p.ApplyContext(context.Background(), t, plan)
}

// ApplyContext is Apply under a context, for interrupted runs.
func (p *Provider) ApplyContext(ctx context.Context, t T, plan *Plan) (*Resource, Diagnostics) {
	t.Helper()
	schema := p.resources[plan.resource]
	typ := schema.ValueType()
	resp, err := p.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: plan.resource, PriorState: encode(t, typ, plan.Prior), PlannedState: encode(t, typ, plan.Planned),
		Config: encode(t, typ, plan.config), PlannedPrivate: plan.private, PlannedIdentity: plan.identity,
	})
	must(t, err, nil)
	out := &Resource{State: tftypes.NewValue(typ, nil), private: resp.Private, Identity: resp.NewIdentity}
	if resp.NewState != nil {
		out.State = decode(t, typ, resp.NewState)
	}
	diags := Diagnostics(resp.Diagnostics)
	if !out.State.IsFullyKnown() {
		t.Fatalf("the state after an apply holds unknown values: %s", out.State)
	}
	if len(diags.Errors()) == 0 {
		if problem := inconsistent(plan.Planned, out.State); problem != "" {
			t.Fatalf("provider produced an inconsistent result after apply: %s", problem)
		}
		if out.Exists() && out.Identity == nil {
			t.Fatalf("the provider set no identity")
		}
	}
	return out, diags
}

// Refresh reads the resource again.
func (p *Provider) Refresh(t T, resource string, r *Resource) (*Resource, Diagnostics) {
	t.Helper()
	typ := p.resources[resource].ValueType()
	resp, err := p.server.ReadResource(context.Background(), &tfprotov6.ReadResourceRequest{
		TypeName: resource, CurrentState: encode(t, typ, r.State), Private: r.private, CurrentIdentity: r.Identity,
	})
	must(t, err, nil)
	out := &Resource{State: tftypes.NewValue(typ, nil), private: resp.Private, Identity: resp.NewIdentity}
	if resp.NewState != nil {
		out.State = decode(t, typ, resp.NewState)
	}
	return out, resp.Diagnostics
}

// Import imports by id and reads.
func (p *Provider) Import(t T, resource, id string) (*Resource, Diagnostics) {
	t.Helper()
	return p.importWith(t, resource, &tfprotov6.ImportResourceStateRequest{TypeName: resource, ID: id})
}

// ImportIdentity imports by identity and reads.
func (p *Provider) ImportIdentity(t T, resource string, identity map[string]string) (*Resource, Diagnostics) {
	t.Helper()
	schemas, err := p.server.GetResourceIdentitySchemas(context.Background(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	must(t, err, schemas.Diagnostics)
	types := map[string]tftypes.Type{}
	values := map[string]tftypes.Value{}
	for _, a := range schemas.IdentitySchemas[resource].IdentityAttributes {
		types[a.Name], values[a.Name] = a.Type, tftypes.NewValue(a.Type, nil)
		if value, ok := identity[a.Name]; ok {
			values[a.Name] = tftypes.NewValue(a.Type, value)
		}
	}
	typ := tftypes.Object{AttributeTypes: types}
	return p.importWith(t, resource, &tfprotov6.ImportResourceStateRequest{
		TypeName: resource, Identity: &tfprotov6.ResourceIdentityData{IdentityData: encode(t, typ, tftypes.NewValue(typ, values))},
	})
}

func (p *Provider) importWith(t T, resource string, req *tfprotov6.ImportResourceStateRequest) (*Resource, Diagnostics) {
	t.Helper()
	typ := p.resources[resource].ValueType()
	resp, err := p.server.ImportResourceState(context.Background(), req)
	must(t, err, nil)
	if len(resp.ImportedResources) == 0 {
		return p.None(resource), resp.Diagnostics
	}
	imported := resp.ImportedResources[0]
	return p.Refresh(t, resource, &Resource{
		State: decode(t, typ, imported.State), Identity: imported.Identity, private: imported.Private,
	})
}

// ReadData reads a data source.
func (p *Provider) ReadData(t T, source string, config Config) (tftypes.Value, Diagnostics) {
	t.Helper()
	typ := p.data[source].ValueType()
	resp, err := p.server.ReadDataSource(context.Background(), &tfprotov6.ReadDataSourceRequest{
		TypeName: source, Config: encode(t, typ, build(t, typ, config)),
	})
	must(t, err, nil)
	if resp.State == nil {
		return tftypes.NewValue(typ, nil), resp.Diagnostics
	}
	return decode(t, typ, resp.State), resp.Diagnostics
}

// Call calls a function with number arguments and returns its number.
func (p *Provider) Call(t T, name string, arguments ...int) (string, error) {
	t.Helper()
	var args []*tfprotov6.DynamicValue
	for _, a := range arguments {
		args = append(args, encode(t, tftypes.Number, tftypes.NewValue(tftypes.Number, a)))
	}
	resp, err := p.server.CallFunction(context.Background(), &tfprotov6.CallFunctionRequest{Name: name, Arguments: args})
	must(t, err, nil)
	if resp.Error != nil {
		return "", fmt.Errorf("%s", resp.Error.Text)
	}
	return text(decode(t, tftypes.Number, resp.Result)), nil
}

// CallObject calls a function with one object, whose attributes are numbers, strings and booleans, and returns its number.
func (p *Provider) CallObject(t T, name string, object map[string]any) (string, error) {
	t.Helper()
	attrs, values := map[string]tftypes.Type{}, map[string]tftypes.Value{}
	for key, v := range object {
		attrs[key] = tftypes.Number
		switch v.(type) {
		case string:
			attrs[key] = tftypes.String
		case bool:
			attrs[key] = tftypes.Bool
		}
		values[key] = tftypes.NewValue(attrs[key], v)
	}
	argument := encode(t, tftypes.DynamicPseudoType, tftypes.NewValue(tftypes.Object{AttributeTypes: attrs}, values))
	resp, err := p.server.CallFunction(context.Background(), &tfprotov6.CallFunctionRequest{Name: name, Arguments: []*tfprotov6.DynamicValue{argument}})
	must(t, err, nil)
	if resp.Error != nil {
		return "", fmt.Errorf("%s", resp.Error.Text)
	}
	return text(decode(t, tftypes.Number, resp.Result)), nil
}

func must(t T, err error, diags Diagnostics) {
	t.Helper()
	if err != nil {
		t.Fatalf("protocol: %v", err)
	}
	if errs := diags.Errors(); len(errs) > 0 {
		t.Fatalf("provider: %s", strings.Join(errs, "; "))
	}
}

// Leaves returns the paths of a resource's attributes that hold no others, in the form "hnsw.m".
func (p *Provider) Leaves(resource string) []string {
	var out []string
	p.walk("", p.resources[resource].Block.Attributes, func(path string, a *tfprotov6.SchemaAttribute) {
		if a.NestedType == nil {
			out = append(out, path)
		}
	})
	return out
}

// Attributes calls visit for every attribute of every resource and data source.
func (p *Provider) Attributes(visit func(path string, a *tfprotov6.SchemaAttribute)) {
	for name, schema := range p.resources {
		p.walk(name+".", schema.Block.Attributes, visit)
	}
	for name, schema := range p.data {
		p.walk("data."+name+".", schema.Block.Attributes, visit)
	}
}

func (p *Provider) walk(prefix string, attributes []*tfprotov6.SchemaAttribute, visit func(string, *tfprotov6.SchemaAttribute)) {
	for _, a := range attributes {
		visit(prefix+a.Name, a)
		if a.NestedType != nil {
			p.walk(prefix+a.Name+".", a.NestedType.Attributes, visit)
		}
	}
}
