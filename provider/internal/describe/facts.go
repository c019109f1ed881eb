package describe

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/defaults"
)

// facts is what an attribute's default, validators and plan modifiers say of themselves.
type facts struct {
	fallback   string
	validators []string
	modifiers  []string
}

type describer interface {
	Description(context.Context) string
}

func texts[T describer](ctx context.Context, in []T) []string {
	out := make([]string, 0, len(in))
	for _, d := range in {
		out = append(out, d.Description(ctx))
	}
	return out
}

func stringFacts(ctx context.Context, a schema.StringAttribute) facts {
	return facts{validators: texts(ctx, a.Validators), modifiers: texts(ctx, a.PlanModifiers)}
}

func int64Facts(ctx context.Context, a schema.Int64Attribute) facts {
	f := facts{validators: texts(ctx, a.Validators), modifiers: texts(ctx, a.PlanModifiers)}
	if a.Default != nil {
		var resp defaults.Int64Response
		a.Default.DefaultInt64(ctx, defaults.Int64Request{}, &resp)
		f.fallback = resp.PlanValue.String()
	}
	return f
}

func float64Facts(ctx context.Context, a schema.Float64Attribute) facts {
	f := facts{validators: texts(ctx, a.Validators), modifiers: texts(ctx, a.PlanModifiers)}
	if a.Default != nil {
		var resp defaults.Float64Response
		a.Default.DefaultFloat64(ctx, defaults.Float64Request{}, &resp)
		f.fallback = trimZeros(resp.PlanValue.String())
	}
	return f
}

func boolFacts(ctx context.Context, a schema.BoolAttribute) facts {
	f := facts{validators: texts(ctx, a.Validators), modifiers: texts(ctx, a.PlanModifiers)}
	if a.Default != nil {
		var resp defaults.BoolResponse
		a.Default.DefaultBool(ctx, defaults.BoolRequest{}, &resp)
		f.fallback = resp.PlanValue.String()
	}
	return f
}

func mapFacts(ctx context.Context, a schema.MapAttribute) facts {
	f := facts{validators: texts(ctx, a.Validators), modifiers: texts(ctx, a.PlanModifiers)}
	if a.Default != nil {
		var resp defaults.MapResponse
		a.Default.DefaultMap(ctx, defaults.MapRequest{}, &resp)
		f.fallback = resp.PlanValue.String()
	}
	return f
}

func setFacts(ctx context.Context, a schema.SetAttribute) facts {
	return facts{validators: texts(ctx, a.Validators), modifiers: texts(ctx, a.PlanModifiers)}
}

// replaces reports whether a change of the attribute replaces the resource, as the framework's modifiers put it.
func (f facts) replaces() bool {
	for _, text := range f.modifiers {
		if strings.Contains(text, "destroy and recreate") {
			return true
		}
	}
	return false
}

// allowed renders the ranges and enumerations among the validators. A bound that only keeps a number representable
// (2^32-1 and up) is not worth a reader's time.
func (f facts) allowed() string {
	for _, text := range f.validators {
		if list, ok := strings.CutPrefix(text, "value must be one of: ["); ok {
			return "One of " + strings.NewReplacer("]", "", `"`, "`", " ", ", ").Replace(list) + "."
		}
		low, high, ok := strings.Cut(strings.TrimPrefix(text, "value must be between "), " and ")
		switch {
		case !ok || !strings.HasPrefix(text, "value must be between "):
		case len(high) < len("4294967295") || strings.Contains(high, "."):
			return "Between " + trimZeros(low) + " and " + trimZeros(high) + "."
		case low != "0":
			return "At least " + low + "."
		}
	}
	return ""
}

// trimZeros shortens 0.200000 to 0.2 and 1.000000 to 1.
func trimZeros(number string) string {
	if !strings.Contains(number, ".") {
		return number
	}
	return strings.TrimSuffix(strings.TrimRight(number, "0"), ".")
}
