package collection

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/float64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// maxOversampling is the node's bound of what a search may ask for.
const maxOversampling = 1000

func strictAttribute() schema.Attribute {
	attrs := map[string]schema.Attribute{
		"enabled": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Whether the limits hold.",
		},
		strictOversampling: schema.Float64Attribute{
			Optional: true, MarkdownDescription: "Largest `oversampling` of a search. Not set: no limit.",
			Validators: []validator.Float64{float64validator.Between(1, maxOversampling)},
		},
	}
	for _, l := range strictLimits() {
		attrs[l.name] = schema.Int64Attribute{
			Optional: true, MarkdownDescription: l.text + " Not set: no limit.", Validators: []validator.Int64{int64validator.Between(l.low, l.high)},
		}
	}
	for _, s := range strictSwitches() {
		attrs[s.name] = schema.BoolAttribute{Optional: true, MarkdownDescription: s.text + " Not set: they may."}
	}
	for _, n := range strictByName() {
		attrs[n.name] = schema.MapNestedAttribute{
			Optional: true, MarkdownDescription: n.text, Validators: []validator.Map{mapvalidator.SizeAtLeast(1)},
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				n.inner: schema.Int64Attribute{Required: true, MarkdownDescription: n.innerText, Validators: []validator.Int64{int64validator.Between(1, unbounded)}},
			}},
		}
	}
	return schema.SingleNestedAttribute{
		Optional: true, Attributes: attrs,
		MarkdownDescription: "Limits of what requests may ask of the collection, and of how much it may hold: a request beyond one is refused as a whole, with the limit and what " +
			"to do. What the collection holds is looked at about once a second, so that it may come to hold a little more than its limits. Removing it turns it off and takes all limits back.",
	}
}
