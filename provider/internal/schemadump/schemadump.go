// Package schemadump turns a provider's schemas, as its protocol gives them, into the JSON form of the command line.
//
// It knows resources, data sources, functions, identities, list resources and actions, which are the kinds that this provider has; a kind that it
// does not know is an error, so that no documentation goes missing unseen. It starts no process.
package schemadump

import (
	"context"
	"encoding/json"
	"fmt"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"
)

// Dump asks server for all its schemas. They stand under the key name.
func Dump(ctx context.Context, server tfprotov6.ProviderServer, name string) (*tfjson.ProviderSchemas, error) {
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err == nil {
		err = problem(schemas.Diagnostics)
	}
	if err != nil {
		return nil, fmt.Errorf("get schemas: %w", err)
	}
	if n := len(schemas.EphemeralResourceSchemas) + len(schemas.StateStoreSchemas); n > 0 {
		return nil, fmt.Errorf("the provider has %d objects of kinds that are not dumped", n)
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err == nil {
		err = problem(identities.Diagnostics)
	}
	if err != nil {
		return nil, fmt.Errorf("get identity schemas: %w", err)
	}
	out := &tfjson.ProviderSchema{
		ResourceSchemas: map[string]*tfjson.Schema{}, DataSourceSchemas: map[string]*tfjson.Schema{},
		Functions: map[string]*tfjson.FunctionSignature{}, ResourceIdentitySchemas: map[string]*tfjson.IdentitySchema{},
		ListResourceSchemas: map[string]*tfjson.Schema{}, ActionSchemas: map[string]*tfjson.ActionSchema{},
	}
	if err := fill(out, schemas, identities); err != nil {
		return nil, err
	}
	return &tfjson.ProviderSchemas{FormatVersion: "1.0", Schemas: map[string]*tfjson.ProviderSchema{name: out}}, nil
}

func fill(out *tfjson.ProviderSchema, schemas *tfprotov6.GetProviderSchemaResponse, identities *tfprotov6.GetResourceIdentitySchemasResponse) error {
	var err error
	if out.ConfigSchema, err = schemaOf(schemas.Provider); err != nil {
		return fmt.Errorf("provider: %w", err)
	}
	for name, s := range schemas.ResourceSchemas {
		if out.ResourceSchemas[name], err = schemaOf(s); err != nil {
			return fmt.Errorf("resource %s: %w", name, err)
		}
	}
	for name, s := range schemas.DataSourceSchemas {
		if out.DataSourceSchemas[name], err = schemaOf(s); err != nil {
			return fmt.Errorf("data source %s: %w", name, err)
		}
	}
	for name, s := range schemas.ListResourceSchemas {
		if out.ListResourceSchemas[name], err = schemaOf(s); err != nil {
			return fmt.Errorf("list resource %s: %w", name, err)
		}
	}
	for name, s := range schemas.ActionSchemas {
		action, err := schemaOf(s.Schema)
		if err != nil {
			return fmt.Errorf("action %s: %w", name, err)
		}
		out.ActionSchemas[name] = &tfjson.ActionSchema{Block: action.Block}
	}
	for name, f := range schemas.Functions {
		if out.Functions[name], err = functionOf(f); err != nil {
			return fmt.Errorf("function %s: %w", name, err)
		}
	}
	for name, s := range identities.IdentitySchemas {
		if out.ResourceIdentitySchemas[name], err = identityOf(s); err != nil {
			return fmt.Errorf("identity of %s: %w", name, err)
		}
	}
	return nil
}

func problem(diags []*tfprotov6.Diagnostic) error {
	for _, d := range diags {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			return fmt.Errorf("%s: %s", d.Summary, d.Detail)
		}
	}
	return nil
}

func schemaOf(s *tfprotov6.Schema) (*tfjson.Schema, error) {
	if len(s.Block.BlockTypes) > 0 {
		return nil, fmt.Errorf("blocks are not dumped; nested attributes are")
	}
	attributes, err := attributesOf(s.Block.Attributes)
	if err != nil {
		return nil, err
	}
	return &tfjson.Schema{Version: uint64(s.Version), Block: &tfjson.SchemaBlock{
		Attributes: attributes, Description: s.Block.Description, DescriptionKind: kindOf(s.Block.DescriptionKind),
		Deprecated: s.Block.Deprecated,
	}}, nil
}

func attributesOf(in []*tfprotov6.SchemaAttribute) (map[string]*tfjson.SchemaAttribute, error) {
	out := map[string]*tfjson.SchemaAttribute{}
	for _, a := range in {
		attribute := &tfjson.SchemaAttribute{
			Description: a.Description, DescriptionKind: kindOf(a.DescriptionKind), Deprecated: a.Deprecated,
			Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		}
		var err error
		if a.NestedType == nil {
			attribute.AttributeType, err = typeOf(a.Type)
		} else {
			attribute.AttributeNestedType = &tfjson.SchemaNestedAttributeType{NestingMode: nestingOf(a.NestedType.Nesting)}
			attribute.AttributeNestedType.Attributes, err = attributesOf(a.NestedType.Attributes)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		out[a.Name] = attribute
	}
	return out, nil
}

func functionOf(f *tfprotov6.Function) (*tfjson.FunctionSignature, error) {
	out := &tfjson.FunctionSignature{
		Description: f.Description, Summary: f.Summary, DeprecationMessage: f.DeprecationMessage,
	}
	var err error
	if out.ReturnType, err = typeOf(f.Return.Type); err != nil {
		return nil, err
	}
	for _, p := range f.Parameters {
		parameter := &tfjson.FunctionParameter{Name: p.Name, Description: p.Description, IsNullable: p.AllowNullValue}
		if parameter.Type, err = typeOf(p.Type); err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, parameter)
	}
	return out, nil
}

func identityOf(s *tfprotov6.ResourceIdentitySchema) (*tfjson.IdentitySchema, error) {
	out := &tfjson.IdentitySchema{Version: uint64(s.Version), Attributes: map[string]*tfjson.IdentityAttribute{}}
	for _, a := range s.IdentityAttributes {
		typ, err := typeOf(a.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		out.Attributes[a.Name] = &tfjson.IdentityAttribute{
			IdentityType: typ, Description: a.Description,
			RequiredForImport: a.RequiredForImport, OptionalForImport: a.OptionalForImport,
		}
	}
	return out, nil
}

// typeOf goes through the JSON form of types, which both libraries share.
func typeOf(t tftypes.Type) (cty.Type, error) {
	encoded, err := json.Marshal(t)
	if err != nil {
		return cty.NilType, fmt.Errorf("encode type: %w", err)
	}
	var out cty.Type
	if err := json.Unmarshal(encoded, &out); err != nil {
		return cty.NilType, fmt.Errorf("decode type: %w", err)
	}
	return out, nil
}

func kindOf(k tfprotov6.StringKind) tfjson.SchemaDescriptionKind {
	if k == tfprotov6.StringKindMarkdown {
		return tfjson.SchemaDescriptionKindMarkdown
	}
	return tfjson.SchemaDescriptionKindPlain
}

func nestingOf(mode tfprotov6.SchemaObjectNestingMode) tfjson.SchemaNestingMode {
	switch mode {
	case tfprotov6.SchemaObjectNestingModeList:
		return tfjson.SchemaNestingModeList
	case tfprotov6.SchemaObjectNestingModeSet:
		return tfjson.SchemaNestingModeSet
	case tfprotov6.SchemaObjectNestingModeMap:
		return tfjson.SchemaNestingModeMap
	default:
		return tfjson.SchemaNestingModeSingle
	}
}
