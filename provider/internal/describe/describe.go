// Package describe completes the descriptions of a resource schema from the schema itself: allowed values, defaults,
// and whether a change is made in place.
//
// It promises that what the documentation says of these is what the code does, because nobody writes it twice. It
// changes descriptions only, and never those of timeouts, which tell nothing to the cluster.
package describe

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
)

// Resource returns s, the schema of what noun names, with completed descriptions.
func Resource(ctx context.Context, s schema.Schema, noun string) schema.Schema {
	s.Attributes = of(noun).attributes(ctx, s.Attributes)
	return s
}

// of is the noun of what is described.
type of string

func (o of) attributes(ctx context.Context, in map[string]schema.Attribute) map[string]schema.Attribute {
	out := make(map[string]schema.Attribute, len(in))
	for name, attr := range in {
		if name == "timeouts" {
			out[name] = attr
			continue
		}
		out[name] = o.attribute(ctx, attr)
	}
	return out
}

// attribute completes leaves and maps of values; what only holds others is completed through them.
func (o of) attribute(ctx context.Context, attr schema.Attribute) schema.Attribute {
	switch a := attr.(type) {
	case schema.StringAttribute:
		a.MarkdownDescription = o.complete(a.MarkdownDescription, a, stringFacts(ctx, a))
		return a
	case schema.Int64Attribute:
		a.MarkdownDescription = o.complete(a.MarkdownDescription, a, int64Facts(ctx, a))
		return a
	case schema.Float64Attribute:
		a.MarkdownDescription = o.complete(a.MarkdownDescription, a, float64Facts(ctx, a))
		return a
	case schema.BoolAttribute:
		a.MarkdownDescription = o.complete(a.MarkdownDescription, a, boolFacts(ctx, a))
		return a
	case schema.MapAttribute:
		a.MarkdownDescription = o.complete(a.MarkdownDescription, a, mapFacts(ctx, a))
		return a
	case schema.SetAttribute:
		a.MarkdownDescription = o.complete(a.MarkdownDescription, a, setFacts(ctx, a))
		return a
	case schema.SingleNestedAttribute:
		a.Attributes = o.attributes(ctx, a.Attributes)
		return a
	case schema.MapNestedAttribute:
		a.NestedObject.Attributes = o.attributes(ctx, a.NestedObject.Attributes)
		return a
	}
	return attr
}

// complete appends the facts about one attribute to its text.
func (o of) complete(text string, attr schema.Attribute, f facts) string {
	parts := []string{strings.TrimSpace(text)}
	if s := f.allowed(); s != "" {
		parts = append(parts, s)
	}
	if f.fallback != "" {
		parts = append(parts, "Default: `"+f.fallback+"`.")
	}
	switch {
	case !attr.IsRequired() && !attr.IsOptional():
	case f.replaces():
		parts = append(parts, "**Changing it replaces the "+string(o)+".**")
	default:
		parts = append(parts, "Changed in place.")
	}
	return strings.Join(parts, " ")
}
