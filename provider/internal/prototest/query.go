package prototest

import (
	"context"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Listed is one object of a list resource's answer.
type Listed struct {
	Name     string
	Resource *Resource
}

// List asks a list resource for all that its configuration matches, whole.
func (p *Provider) List(t T, resource string, config Config, limit int64) ([]Listed, Diagnostics) {
	t.Helper()
	server, ok := p.server.(tfprotov6.ListResourceServer)
	schemas, err := p.server.GetProviderSchema(context.Background(), &tfprotov6.GetProviderSchemaRequest{})
	must(t, err, nil)
	schema := schemas.ListResourceSchemas[resource]
	if !ok || schema == nil {
		t.Fatalf("the provider lists no %s", resource)
	}
	typ := schema.ValueType()
	stream, err := server.ListResource(context.Background(), &tfprotov6.ListResourceRequest{
		TypeName: resource, Config: encode(t, typ, build(t, typ, config)), IncludeResource: true, Limit: limit,
	})
	must(t, err, nil)
	var out []Listed
	var diags Diagnostics
	for result := range stream.Results {
		diags = append(diags, result.Diagnostics...)
		if result.Resource == nil {
			continue
		}
		out = append(out, Listed{Name: result.DisplayName, Resource: &Resource{
			State: decode(t, p.resources[resource].ValueType(), result.Resource), Identity: result.Identity,
		}})
	}
	return out, diags
}

// Invoke runs an action and returns what it told meanwhile.
func (p *Provider) Invoke(t T, action string, config Config) (progress []string, diags Diagnostics) {
	t.Helper()
	server, ok := p.server.(tfprotov6.ActionServer)
	schemas, err := p.server.GetProviderSchema(context.Background(), &tfprotov6.GetProviderSchemaRequest{})
	must(t, err, nil)
	schema := schemas.ActionSchemas[action]
	if !ok || schema == nil {
		t.Fatalf("the provider has no action %s", action)
	}
	typ := schema.Schema.ValueType()
	stream, err := server.InvokeAction(context.Background(), &tfprotov6.InvokeActionRequest{ActionType: action, Config: encode(t, typ, build(t, typ, config))})
	must(t, err, nil)
	for event := range stream.Events {
		switch e := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			progress = append(progress, e.Message)
		case tfprotov6.CompletedInvokeActionEventType:
			diags = append(diags, e.Diagnostics...)
		}
	}
	return progress, diags
}

// ConfigOf is the configuration that declares a state: every attribute of it that can be configured and is not null.
func (p *Provider) ConfigOf(t T, resource string, state tftypes.Value) Config {
	t.Helper()
	return configOf(t, p.resources[resource].Block.Attributes, state)
}

func configOf(t T, attributes []*tfprotov6.SchemaAttribute, state tftypes.Value) Config {
	t.Helper()
	out := Config{}
	fields := fieldsOf(t, state)
	for _, a := range attributes {
		v, ok := fields[a.Name]
		if !ok || v.IsNull() || !a.Optional && !a.Required {
			continue
		}
		out[a.Name] = goValue(t, a, v)
	}
	return out
}

func goValue(t T, a *tfprotov6.SchemaAttribute, v tftypes.Value) any {
	t.Helper()
	switch {
	case a.NestedType == nil:
		return v
	case a.NestedType.Nesting == tfprotov6.SchemaObjectNestingModeMap:
		out := Config{}
		for name, element := range fieldsOf(t, v) {
			out[name] = configOf(t, a.NestedType.Attributes, element)
		}
		return out
	}
	return configOf(t, a.NestedType.Attributes, v)
}
