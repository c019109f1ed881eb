package topology

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// NewPlacement returns the data source ostraka_collection_placement.
func NewPlacement() datasource.DataSource { return &placement{} }

type placement struct {
	session *session.Data
}

var _ datasource.DataSourceWithConfigure = (*placement)(nil)

type placementModel struct {
	Name                   types.String   `tfsdk:"name"`
	ShardNumber            types.Int64    `tfsdk:"shard_number"`
	ReplicationFactor      types.Int64    `tfsdk:"replication_factor"`
	WriteConsistencyFactor types.Int64    `tfsdk:"write_consistency_factor"`
	Shards                 []shardModel   `tfsdk:"shards"`
	UnderReplicated        []types.Int64  `tfsdk:"under_replicated"`
	Warnings               []types.String `tfsdk:"warnings"`

	TargetShardNumber types.Int64 `tfsdk:"target_shard_number"`
	Moving            types.Bool  `tfsdk:"moving"`
}

type shardModel struct {
	ID               types.Int64    `tfsdk:"id"`
	Primary          types.Int64    `tfsdk:"primary"`
	DeclaredReplicas types.Int64    `tfsdk:"declared_replicas"`
	ActiveReplicas   types.Int64    `tfsdk:"active_replicas"`
	WriteQuorum      types.Int64    `tfsdk:"write_quorum"`
	Writable         types.Bool     `tfsdk:"writable"`
	Problem          types.String   `tfsdk:"problem"`
	Replicas         []replicaModel `tfsdk:"replicas"`
	ShardKey         types.String   `tfsdk:"shard_key"`
	Slots            types.Int64    `tfsdk:"slots"`
	Pinned           types.Bool     `tfsdk:"pinned"`
}

type replicaModel struct {
	Peer     types.Int64  `tfsdk:"peer"`
	PeerName types.String `tfsdk:"peer_name"`
	State    types.String `tfsdk:"state"`
	Alive    types.Bool   `tfsdk:"alive"`
}

func (d *placement) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "ostraka_collection_placement"
}

func (d *placement) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Where the shards and replicas of a collection were declared to be and where they are. " +
			"Give it `depends_on` on the collection's resource: its name is known before the collection exists. " +
			"A plain Qdrant cannot answer this.",
		Attributes: map[string]schema.Attribute{
			"name":                     schema.StringAttribute{Required: true, MarkdownDescription: "Name of the collection."},
			"shard_number":             number("Number of shards that there are."),
			"target_shard_number":      number("Declared number of shards: another one while points move between shards."),
			"moving":                   flag("Whether the cluster is at work to make the collection as declared: shards are cut, or replicas filled."),
			"replication_factor":       number("Declared number of replicas of each shard."),
			"write_consistency_factor": number("Declared number of replicas that hold a write before it is acknowledged."),
			"shards":                   shardsAttribute(),
			"under_replicated": schema.ListAttribute{
				ElementType: types.Int64Type, Computed: true,
				MarkdownDescription: "Ids of the shards with fewer active replicas than declared. Empty when all is well.",
			},
			"warnings": schema.ListAttribute{
				ElementType: types.StringType, Computed: true,
				MarkdownDescription: "What is not as declared, and why, in the cluster's words.",
			},
		},
	}
}

func shardsAttribute() schema.Attribute {
	return schema.ListNestedAttribute{
		Computed:            true,
		MarkdownDescription: "The shards, ordered by id.",
		NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
			"id":                number("Id of the shard."),
			"shard_key":         text("The shard key that it belongs to; null without custom sharding."),
			"slots":             number("How many of the 4096 slots of points it owns; null when the cluster does not say."),
			"pinned":            flag("Whether its replicas were placed by hand, and stay there."),
			"primary":           number("Id of the peer that orders the shard's writes; null when there is none."),
			"declared_replicas": number("How many replicas there should be."),
			"active_replicas":   number("How many replicas count and have a peer that is alive."),
			"write_quorum":      number("How many replicas hold a write before it is acknowledged, as in force now."),
			"writable":          flag("Whether the shard takes writes."),
			"problem":           text("What is missing and why; empty when the shard is as declared."),
			"replicas": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The replicas, ordered by peer.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"peer":      number("Id of the peer that holds the replica."),
					"peer_name": text("Name of that peer; empty when it is not a member any more."),
					"state":     text("`active`: it counts. `partial`: it is catching up. `dead`: it failed or is away."),
					"alive":     flag("Whether the peer answers."),
				}},
			},
		}},
	}
}

func (d *placement) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.session = session.From(req.ProviderData, &resp.Diagnostics)
}

func (d *placement) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var name types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("name"), &name)...)
	if resp.Diagnostics.HasError() || !d.session.Readable(req, resp) {
		return
	}
	found, err := d.session.Client.Placement(ctx, name.ValueString())
	if client.IsNotFound(err) || err == nil && len(found) != 1 {
		resp.Diagnostics.AddAttributeError(path.Root("name"), "No such collection", fmt.Sprintf(
			"There is no collection %q. If this configuration creates it, give the data source depends_on on its resource.", name.ValueString()))
		return
	}
	if err != nil {
		failed("Cannot read the placement of "+name.ValueString(), err, &resp.Diagnostics)
		return
	}
	members, err := d.session.Client.Cluster(ctx)
	if err != nil {
		failed("Cannot read the peers of the cluster", err, &resp.Diagnostics)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, placementOf(name, found[0], members))...)
}

func placementOf(name types.String, p client.CollectionPlacement, members *client.Cluster) placementModel {
	out := placementModel{
		Name: name, ShardNumber: types.Int64Value(int64(p.ShardNumber)), TargetShardNumber: types.Int64Value(int64(p.TargetShardNumber)),
		ReplicationFactor:      types.Int64Value(int64(p.ReplicationFactor)),
		WriteConsistencyFactor: types.Int64Value(int64(p.WriteConsistencyFactor)),
		Shards:                 []shardModel{}, UnderReplicated: []types.Int64{}, Warnings: []types.String{},
	}
	if p.TargetShardNumber == 0 { // an older node
		out.TargetShardNumber = out.ShardNumber
	}
	out.Moving = types.BoolValue(len(p.Operations) > 0 || !out.TargetShardNumber.Equal(out.ShardNumber) || filling(p))
	for _, s := range p.Shards {
		out.Shards = append(out.Shards, shardOf(s, members))
		if s.ActiveReplicas < s.DeclaredReplicas {
			out.UnderReplicated = append(out.UnderReplicated, types.Int64Value(int64(s.ID)))
		}
	}
	for _, w := range p.Warnings {
		out.Warnings = append(out.Warnings, types.StringValue(w))
	}
	return out
}

// filling reports whether a replica is on its way.
func filling(p client.CollectionPlacement) bool {
	for _, s := range p.Shards {
		for _, r := range s.Replicas {
			if r.State == client.ReplicaPartial {
				return true
			}
		}
	}
	return false
}

func shardOf(s client.ShardPlacement, members *client.Cluster) shardModel {
	out := shardModel{
		ID: types.Int64Value(int64(s.ID)), Primary: peerID(s.Primary),
		DeclaredReplicas: types.Int64Value(int64(s.DeclaredReplicas)), ActiveReplicas: types.Int64Value(int64(s.ActiveReplicas)),
		WriteQuorum: types.Int64Value(int64(s.WriteQuorum)), Writable: types.BoolValue(s.Writable),
		Problem: types.StringValue(s.Problem), Replicas: []replicaModel{}, Pinned: types.BoolValue(s.Pinned),
	}
	if s.Key != nil {
		out.ShardKey = types.StringValue(s.Key.String())
	}
	if s.Slots > 0 {
		out.Slots = types.Int64Value(int64(s.Slots))
	}
	for _, r := range s.Replicas {
		peer, _ := members.Peer(r.Peer)
		out.Replicas = append(out.Replicas, replicaModel{
			Peer: peerID(r.Peer), PeerName: types.StringValue(peer.Name), State: types.StringValue(string(r.State)),
			Alive: types.BoolValue(r.Alive),
		})
	}
	return out
}
