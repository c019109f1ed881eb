package collection

import (
	"context"
	"maps"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/float64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/float64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/objectdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// The node's limits, so that what it would refuse fails at plan time.
const (
	maxSize        = 65536
	maxVectors     = 64
	maxShards      = 1024
	maxReplicas    = 64
	maxLinks       = 2048
	minEfConstruct = 4
	maxEfConstruct = 1 << 20
	maxThreads     = 1 << 12
	maxSegments    = 1 << 12
	maxWALSegments = 1 << 12
	maxWALCapacity = 1 << 16

	maxReadFanOutDelayMS = 60_000
	unbounded            = 1 << 53 // what JSON and Terraform keep exact
)

// nameRule is the server's: 1 to 255 bytes without these characters.
var nameRule = regexp.MustCompile("^[^<>:\"/\\\\|?*\\x00\\x1f]*$")

// resourceSchema declares ostraka_collection, without what describe adds to the descriptions.
func resourceSchema(ctx context.Context) schema.Schema {
	attrs := coreAttributes()
	maps.Copy(attrs, shardAttributes())
	maps.Copy(attrs, replicaAttributes())
	attrs["hnsw"] = hnswAttribute()
	attrs["quantization"] = quantizationAttribute("Compression of the vectors for searching, unless a vector has its own. Searches walk the compressed vectors and, unless told " +
		"otherwise, compare the best of them once more with the originals. Removing it turns it off.")
	attrs["optimizers"] = optimizersAttribute()
	attrs["strict_mode"] = strictAttribute()
	attrs["wal"] = walAttribute()
	attrs["unfinished"] = session.UnfinishedAttribute()
	attrs["timeouts"] = timeoutsAttribute(ctx)
	return schema.Schema{
		Version: 0,
		MarkdownDescription: "A collection: named vectors, spread over shards, each shard kept in several replicas.\n\n" +
			"What is changed in place and what replaces the collection, **and with it all of its points**, stands with each attribute. " +
			"Changing `replication_factor` makes or drops copies, and changing `shard_number` moves points between shards, while the collection " +
			"serves; the apply returns when the placement is as declared. Counters and placement are volatile and therefore stand in the data source " +
			"`ostraka_collection_placement`.\n\n" +
			"A change that is cut short, by a time-out or Ctrl-C, goes on in the cluster; the next apply joins it.",
		Attributes: attrs,
	}
}

func coreAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"name": schema.StringAttribute{
			Required: true,
			MarkdownDescription: "Name of the collection, its id in the cluster. At most 255 bytes, none of " +
				"`< > : \" / \\ | ? *` among them.",
			Validators: []validator.String{
				stringvalidator.LengthBetween(1, 255),
				stringvalidator.RegexMatches(nameRule, "must not contain any of < > : \" / \\ | ? *"),
			},
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"vectors":        vectorsAttribute(),
		"sparse_vectors": sparseVectorsAttribute(),
		"on_disk_payload": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Keep payloads on disk instead of in memory. Kept as declared and shown; this version of the node always keeps them on disk.",
		},
		"metadata": metadataAttribute(),
		"heal": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Whether copies that are missing although they were declared, because a peer is away or a disk was lost, are a change in the plan, and " +
				"applying it waits until they are back. With `false` the plan tells of them in a warning. The cluster makes them again in both cases.",
		},
		"deletion_protection": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Refuse, already at plan time, to destroy or replace the collection. It takes two steps to delete a " +
				"protected collection: apply `false` first. Kept in Terraform's state only: other clients can still delete it.",
		},
	}
}

// shardAttributes say into what the points are cut, and how they are read.
func shardAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"shard_number": schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Number of shards that the points are spread over. When it is not set, the cluster picks " +
				"one per peer at creation, and the number is kept from then on. A change moves points between shards, up and down, while reads and writes go " +
				"on. **Where the cluster cannot do that (a plain Qdrant, `sharding_method = \"custom\"`), a change replaces the collection**; the plan shows it.",
			Validators:    []validator.Int64{int64validator.Between(1, maxShards)},
			PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
		},
		"sharding_method": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(autoSharding),
			MarkdownDescription: "`auto` spreads points by their ids. `custom` lets each point go to the shards of the shard key that its writer names; " +
				"keys are declared with `ostraka_shard_key`, and `shard_number` is the number of shards of each key that does not say otherwise. Default: `auto`.",
			Validators:    []validator.String{stringvalidator.OneOf(autoSharding, customSharding)},
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"read_fan_out_factor": schema.Int64Attribute{
			Optional: true, Computed: true, Default: int64default.StaticInt64(0),
			MarkdownDescription: "To how many more replicas every read of a shard is sent at once; the first answer counts.",
			Validators:          []validator.Int64{int64validator.Between(0, maxReplicas)},
		},
		"read_fan_out_delay_ms": schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "After how many milliseconds without an answer a read is sent to another replica. When it is not set the server chooses. The API " +
				"cannot take a value back: removing the attribute keeps the last one.",
			Validators:    []validator.Int64{int64validator.Between(0, maxReadFanOutDelayMS)},
			PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
		},
	}
}

// replicaAttributes say how many copies there are, and how many of them a write needs.
func replicaAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"replication_factor": schema.Int64Attribute{
			Optional: true, Computed: true, Default: int64default.StaticInt64(defaultReplicationFactor),
			MarkdownDescription: "Number of replicas of each shard, each on another peer. The cluster makes missing replicas and drops " +
				"surplus ones. With 1 replica a lost node loses its part of the data.",
			Validators: []validator.Int64{int64validator.Between(1, maxReplicas)},
		},
		"write_consistency": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How many replicas hold a write before it is acknowledged, as a word that follows `replication_factor` (RF): " +
				"`weak` is 1, `quorum` is RF/2+1, `strong` is RF. Conflicts with `write_consistency_factor`.",
			Validators: []validator.String{
				stringvalidator.OneOf(consistencyWords()...),
				stringvalidator.ConflictsWith(path.MatchRoot("write_consistency_factor")),
			},
		},
		"write_consistency_factor": schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "How many replicas hold a write before it is acknowledged, as a number of at most `replication_factor`. " +
				"Defaults to the meaning of `write_consistency`, or to 1 when neither is set. The cluster refuses writes to a shard " +
				"that has fewer replicas in service.",
			Validators:    []validator.Int64{int64validator.Between(1, maxReplicas)},
			PlanModifiers: []planmodifier.Int64{factorFollowsWord{}},
		},
	}
}

func metadataAttribute() schema.Attribute {
	return schema.MapAttribute{
		ElementType: types.StringType, Optional: true, Computed: true, Default: mapdefault.StaticValue(emptyMetadata()),
		MarkdownDescription: "Free text about the collection, by key. Keys that are not declared here are removed. The cluster stores JSON; a value that " +
			"another client has stored as anything but a string reads as its JSON text, and is only rewritten (as a string) when it differs from " +
			"what is declared.",
		Validators: []validator.Map{mapvalidator.NoNullValues()},
	}
}

func timeoutsAttribute(ctx context.Context) schema.Attribute {
	const format = " A duration such as `90s` or `1h30m`."
	attr, ok := timeouts.Attributes(ctx, timeouts.Opts{
		Create: true, Update: true, Delete: true,
		CreateDescription: "How long to wait for the collection and its replicas. When only the replicas are late, the collection is kept " +
			"and a warning says what is missing. Default: `5m`." + format,
		UpdateDescription: "How long to wait for a change, copies of replicas included. What was reached by then is kept, and the next " +
			"apply goes on from there. Default: `2h`." + format,
		DeleteDescription: "How long to wait for the deletion. Default: `10m`." + format,
	}).(schema.SingleNestedAttribute)
	if ok {
		attr.MarkdownDescription = "How long each operation may take."
	}
	return attr
}

func identitySchema() identityschema.Schema {
	return identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"name": identityschema.StringAttribute{
			RequiredForImport: true,
			Description:       "Name of the collection.",
		},
	}}
}

func count(text string, fallback, low, high int64) schema.Int64Attribute {
	return schema.Int64Attribute{
		Optional: true, Computed: true, Default: int64default.StaticInt64(fallback),
		MarkdownDescription: text,
		Validators:          []validator.Int64{int64validator.Between(low, high)},
	}
}

func hnswAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true, Computed: true, Default: objectdefault.StaticValue(defaultHNSW()),
		MarkdownDescription: "The HNSW graph of approximate search.",
		Attributes: map[string]schema.Attribute{
			"m":                    count(textM, defaultM, 0, maxLinks),
			"ef_construct":         count(textEfConstruct, defaultEfConstruct, minEfConstruct, maxEfConstruct),
			"full_scan_threshold":  count(textFullScan, defaultFullScanThreshold, 0, unbounded),
			"max_indexing_threads": count(textThreads, defaultMaxIndexingThreads, 0, maxThreads),
			"on_disk": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: textGraphOnDisk,
			},
			"payload_m": schema.Int64Attribute{
				Optional: true, Computed: true,
				MarkdownDescription: textPayloadM + " Default: the value of `m`.",
				Validators:          []validator.Int64{int64validator.Between(0, maxLinks)},
				PlanModifiers:       []planmodifier.Int64{payloadFollowsM{}},
			},
		},
	}
}

const (
	textM           = "Links per node of the graph; 0 builds no graph. More links find more and take more memory."
	textEfConstruct = "Candidates considered while the graph is built. More take longer and find more."
	textFullScan    = "Below this size, in KiB of vectors, a search scans instead of using the graph."
	textThreads     = "Threads that build the graph; 0 lets the server choose."
	textGraphOnDisk = "Keep the graph on disk instead of in memory."
	textPayloadM    = "Links per node of the graphs of single payload values, each of the points that have the value; 0 makes none. Values of indexes with " +
		"`is_tenant` have one from `full_scan_threshold` on; where this is another number than `m`, as with `m = 0`, those of all keyword, UUID, integer and boolean " +
		"indexes do. A search whose filter asks for the value walks that graph."
)

func vectorHNSWAttributes() map[string]schema.Attribute {
	number := func(text string, low, high int64) schema.Attribute {
		return schema.Int64Attribute{
			Optional: true, MarkdownDescription: text + " Not set: as the collection's.",
			Validators: []validator.Int64{int64validator.Between(low, high)},
		}
	}
	return map[string]schema.Attribute{
		"m":                    number(textM, 0, maxLinks),
		"ef_construct":         number(textEfConstruct, minEfConstruct, maxEfConstruct),
		"full_scan_threshold":  number(textFullScan, 0, unbounded),
		"max_indexing_threads": number(textThreads, 0, maxThreads),
		"on_disk": schema.BoolAttribute{
			Optional: true, MarkdownDescription: textGraphOnDisk + " Not set: as the collection's.",
		},
		"payload_m": number(textPayloadM, 0, maxLinks),
	}
}

func optimizersAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true, Computed: true, Default: objectdefault.StaticValue(defaultOptimizers()),
		MarkdownDescription: "How the background work on stored points is done. The node heeds `indexing_threshold`, `deleted_threshold` and " +
			"`vacuum_min_vector_number`; the others are kept as declared and shown.",
		Attributes: map[string]schema.Attribute{
			"deleted_threshold": schema.Float64Attribute{
				Optional: true, Computed: true, Default: float64default.StaticFloat64(defaultDeletedThreshold),
				MarkdownDescription: "Share of deleted points from which a segment is rewritten.",
				Validators:          []validator.Float64{float64validator.Between(0, 1)},
			},
			"vacuum_min_vector_number": count("Smallest number of vectors in a segment worth rewriting.",
				defaultVacuumMinVectorNumber, 0, unbounded),
			"default_segment_number": count("Number of segments to aim for; 0 lets the server choose.",
				defaultSegmentNumber, 0, maxSegments),
			"max_segment_size": schema.Int64Attribute{
				Optional: true, Computed: true,
				MarkdownDescription: "Largest segment, in KiB of vectors. When it is not set the server chooses by its CPUs. The API cannot take a value " +
					"back: removing the attribute keeps the last one.",
				Validators:    []validator.Int64{int64validator.Between(1, unbounded)},
				PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			},
			"memmap_threshold":   count("Segments above this size, in KiB of vectors, are memory-mapped; 0 turns that off.", 0, 0, unbounded),
			"indexing_threshold": count("Segments above this size, in KiB of vectors, get a graph; 0 turns graphs off.", defaultIndexingThreshold, 0, unbounded),
			"flush_interval_sec": count("Seconds between flushes to disk.", defaultFlushIntervalSec, 0, unbounded),
			"max_optimization_threads": schema.Int64Attribute{
				Optional: true, Computed: true,
				MarkdownDescription: "Optimizations that may run at once per shard; 0 turns them off. When it is not set the server chooses. The API cannot " +
					"take a value back: removing the attribute keeps the last one.",
				Validators:    []validator.Int64{int64validator.Between(0, maxThreads)},
				PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			},
			"prevent_unoptimized": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Hide new points from searches until their segment is optimized, rather than scan a large unoptimized segment.",
			},
		},
	}
}
