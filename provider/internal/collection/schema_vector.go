package collection

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/float64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/objectdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

func vectorsAttribute() schema.Attribute {
	return schema.MapNestedAttribute{
		Required: true,
		MarkdownDescription: "The vectors of every point, by name. The name `\"\"` is the unnamed vector. Adding and removing a name is done in place: " +
			"points lack a new vector until they are written again, and lose a removed one. **Where the cluster cannot do that, it replaces the collection**; " +
			"the plan shows it.",
		Validators: []validator.Map{mapvalidator.SizeAtMost(maxVectors)},
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"size": schema.Int64Attribute{
				Required:            true,
				MarkdownDescription: "Number of components.",
				Validators:          []validator.Int64{int64validator.Between(1, maxSize)},
				PlanModifiers:       []planmodifier.Int64{int64Replaces()},
			},
			"distance": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "How two vectors are compared. With `Cosine`, vectors are normalised when they are written.",
				Validators:          []validator.String{stringvalidator.OneOf(distanceNames()...)},
				PlanModifiers:       []planmodifier.String{stringReplaces()},
			},
			"datatype": datatypeAttribute("How a component is stored. Default: `Float32`."),
			"multivector": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Each point has a list of such vectors. `multivector = {}` compares two lists by `MaxSim`.",
				PlanModifiers:       []planmodifier.Object{objectReplaces()},
				Attributes: map[string]schema.Attribute{
					"comparator": schema.StringAttribute{
						Optional: true, Computed: true, Default: stringdefault.StaticString(maxSim),
						MarkdownDescription: "How two lists are compared: for each vector of the query the best match counts. Default: `" + maxSim + "`.",
						Validators:          []validator.String{stringvalidator.OneOf(maxSim)},
						PlanModifiers:       []planmodifier.String{stringReplaces()},
					},
				},
			},
			"on_disk": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Serve this vector from disk instead of from memory.",
			},
			"hnsw": schema.SingleNestedAttribute{
				Optional: true,
				MarkdownDescription: "The graph of this vector, where it differs from the collection's `hnsw`. What is left out is as " +
					"there.",
				Attributes: vectorHNSWAttributes(),
			},
			"quantization": quantizationAttribute("Compression of this vector instead of the collection's `quantization`. Removing it brings back the collection's."),
		}},
	}
}

func datatypeAttribute(text string) schema.Attribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, Default: stringdefault.StaticString(string(client.Float32)),
		MarkdownDescription: text,
		Validators:          []validator.String{stringvalidator.OneOf(string(client.Float32), string(client.Float16), string(client.Uint8))},
		PlanModifiers:       []planmodifier.String{stringReplaces()},
	}
}

func sparseVectorsAttribute() schema.Attribute {
	return schema.MapNestedAttribute{
		Optional: true, Computed: true, Default: mapdefault.StaticValue(types.MapValueMust(sparseType(), nil)),
		MarkdownDescription: "Sparse vectors, by name: of a vast number of components, nearly all zero, such as words and their weights. They are added and removed " +
			"like `vectors`, with which they share one set of names.",
		Validators: []validator.Map{mapvalidator.SizeAtMost(maxVectors), mapvalidator.KeysAre(stringvalidator.LengthAtLeast(1))},
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"modifier": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(defaultModifier),
				MarkdownDescription: "`Idf` weighs each component by how rare it is in the collection. Default: `" + defaultModifier + "`.",
				Validators:          []validator.String{stringvalidator.OneOf(defaultModifier, "Idf")},
			},
			"datatype": datatypeAttribute("How a weight is stored in the index. Default: `Float32`."),
			"on_disk": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Keep the index on disk instead of in memory.",
			},
			"full_scan_threshold": schema.Int64Attribute{
				Optional: true, Computed: true,
				MarkdownDescription: "Below this number of vectors a search scans instead of using the index. When it is not set the server chooses. The API cannot take a " +
					"value back: removing the attribute keeps the last one.",
				Validators:    []validator.Int64{int64validator.Between(0, unbounded)},
				PlanModifiers: []planmodifier.Int64{keepOfExisting{}},
			},
		}},
	}
}

// quantizationAttribute takes one of the three kinds.
func quantizationAttribute(text string) schema.Attribute {
	ram := func() schema.Attribute {
		return schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Keep the compressed vectors in memory also when the originals are served from disk.",
		}
	}
	word := func(text, fallback string, values []string) schema.Attribute {
		return schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(fallback), MarkdownDescription: text + " Default: `" + fallback + "`.",
			Validators: []validator.String{stringvalidator.OneOf(values...)},
		}
	}
	return schema.SingleNestedAttribute{
		Optional: true, MarkdownDescription: text + " Exactly one of `scalar`, `product` and `binary` is given.",
		Validators: []validator.Object{oneKind{}},
		Attributes: map[string]schema.Attribute{
			"scalar": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "One byte for each component.",
				Attributes: map[string]schema.Attribute{
					"type": word("Type of the codes.", "Int8", []string{"Int8"}),
					"quantile": schema.Float64Attribute{
						Optional: true, MarkdownDescription: "Share of the values that the range of the codes covers; what lies outside is cut off. Not set: all.",
						Validators: []validator.Float64{float64validator.Between(0.5, 1)},
					},
					"always_ram": ram(),
				},
			},
			"product": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "One byte for a group of components.",
				Attributes: map[string]schema.Attribute{
					"compression": schema.StringAttribute{
						Required: true, MarkdownDescription: "How many times smaller the compressed vectors are.",
						Validators: []validator.String{stringvalidator.OneOf(client.Compressions()...)},
					},
					"always_ram": ram(),
				},
			},
			"binary": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "One or two bits for each component.",
				Attributes: map[string]schema.Attribute{
					"encoding":       word("Bits for each component.", "OneBit", client.BinaryEncodings()),
					"query_encoding": word("How queries are encoded.", "Default", client.QueryEncodings()),
					"always_ram":     ram(),
				},
			},
		},
	}
}

func walAttribute() schema.Attribute {
	number := func(text string, fallback, low, high int64) schema.Attribute {
		a := count(text, fallback, low, high)
		a.PlanModifiers = []planmodifier.Int64{int64planmodifier.RequiresReplace()}
		return a
	}
	return schema.SingleNestedAttribute{
		Optional: true, Computed: true, Default: objectdefault.StaticValue(defaultWAL()),
		MarkdownDescription: "The log of writes of each replica. Kept as declared and shown; the node bounds its logs by itself.",
		Attributes: map[string]schema.Attribute{
			"capacity_mb":    number("Size of one part of the log, in MiB.", defaultWALCapacityMB, 1, maxWALCapacity),
			"segments_ahead": number("Parts that are made in advance.", defaultWALSegmentsAhead, 0, maxWALSegments),
			"retain_closed":  number("Parts that are kept though no longer needed.", defaultWALRetainClosed, 0, maxWALSegments),
		},
	}
}
