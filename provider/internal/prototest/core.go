package prototest

import (
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// propose merges a configuration with the prior state: what is computed and not configured keeps its prior value.
func propose(t T, schema *tfprotov6.Schema, prior, config tftypes.Value) tftypes.Value {
	t.Helper()
	return tftypes.NewValue(schema.ValueType(), proposeAttributes(t, schema.Block.Attributes, prior, config))
}

func proposeAttributes(t T, attributes []*tfprotov6.SchemaAttribute, prior, config tftypes.Value) map[string]tftypes.Value {
	t.Helper()
	before, wanted := fieldsOf(t, prior), fieldsOf(t, config)
	out := map[string]tftypes.Value{}
	for _, attr := range attributes {
		old, ok := before[attr.Name]
		if !ok {
			old = tftypes.NewValue(attr.ValueType(), nil)
		}
		out[attr.Name] = proposeAttribute(t, attr, old, wanted[attr.Name])
	}
	return out
}

func proposeAttribute(t T, attr *tfprotov6.SchemaAttribute, prior, config tftypes.Value) tftypes.Value {
	t.Helper()
	if attr.Computed && config.IsNull() {
		return prior
	}
	if attr.NestedType == nil || config.IsNull() || !config.IsKnown() {
		return config
	}
	switch attr.NestedType.Nesting {
	case tfprotov6.SchemaObjectNestingModeSingle:
		return tftypes.NewValue(attr.ValueType(), proposeAttributes(t, attr.NestedType.Attributes, prior, config))
	case tfprotov6.SchemaObjectNestingModeMap:
		before, out := fieldsOf(t, prior), map[string]tftypes.Value{}
		for key, element := range fieldsOf(t, config) {
			old, ok := before[key]
			if !ok {
				old = tftypes.NewValue(element.Type(), nil)
			}
			out[key] = element
			if !element.IsNull() && element.IsKnown() {
				out[key] = tftypes.NewValue(element.Type(), proposeAttributes(t, attr.NestedType.Attributes, old, element))
			}
		}
		return tftypes.NewValue(attr.ValueType(), out)
	default:
		t.Fatalf("attribute %s: this nesting mode is not merged here", attr.Name)
		return config
	}
}

func fieldsOf(t T, v tftypes.Value) map[string]tftypes.Value {
	t.Helper()
	out := map[string]tftypes.Value{}
	if v.IsNull() || !v.IsKnown() {
		return out
	}
	if err := v.As(&out); err != nil {
		t.Fatalf("fields of %s: %v", v, err)
	}
	return out
}

// checkPlanned holds a provider to the rule that a plan keeps what is configured.
func checkPlanned(t T, schema *tfprotov6.Schema, config, planned tftypes.Value) {
	t.Helper()
	if config.IsNull() {
		if !planned.IsNull() {
			t.Fatalf("a plan to destroy holds a state")
		}
		return
	}
	before, after := fieldsOf(t, config), fieldsOf(t, planned)
	for _, attr := range schema.Block.Attributes {
		checkConfigured(t, attr.Name, attr.Computed, before[attr.Name], after[attr.Name])
	}
}

func checkConfigured(t T, at string, computed bool, config, planned tftypes.Value) {
	t.Helper()
	switch {
	case config.IsNull():
		if !computed && !planned.IsNull() {
			t.Fatalf("%s is not configured and not computed, but planned as %s", at, planned)
		}
		return
	case !config.IsKnown():
		return
	}
	if !config.Type().Is(tftypes.Object{}) && !config.Type().Is(tftypes.Map{}) {
		if !config.Equal(planned) {
			t.Fatalf("%s is configured as %s, but planned as %s", at, config, planned)
		}
		return
	}
	after := fieldsOf(t, planned)
	for name, value := range fieldsOf(t, config) {
		if !value.IsNull() {
			checkConfigured(t, at+"."+name, true, value, after[name])
		}
	}
}

// inconsistent says where a state differs from what was planned; unknown values may become anything.
func inconsistent(planned, state tftypes.Value) string {
	if !planned.IsKnown() || planned.Equal(state) {
		return ""
	}
	var wanted, got map[string]tftypes.Value
	if planned.IsNull() || state.IsNull() || planned.As(&wanted) != nil || state.As(&got) != nil {
		return "planned " + planned.String() + ", got " + state.String()
	}
	if len(wanted) != len(got) {
		return "planned " + planned.String() + ", got " + state.String()
	}
	for name, value := range wanted {
		other, ok := got[name]
		if !ok {
			return name + " is missing"
		}
		if problem := inconsistent(value, other); problem != "" {
			return name + ": " + problem
		}
	}
	return ""
}
