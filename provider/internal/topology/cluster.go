// Package topology is the data sources ostraka_cluster and ostraka_collection_placement: who is in the cluster, and
// where each replica is.
//
// It owns what changes without anybody declaring it, which therefore must not stand in a resource. Of a placement it
// shows what is worth an output, not counters, so that a plan after loading data stays empty. It never changes anything.
package topology

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
)

// NewCluster returns the data source ostraka_cluster.
func NewCluster() datasource.DataSource { return &cluster{} }

type cluster struct {
	session *session.Data
}

var _ datasource.DataSourceWithConfigure = (*cluster)(nil)

type clusterModel struct {
	ID      types.String `tfsdk:"id"`
	Version types.String `tfsdk:"version"`
	Leader  types.Int64  `tfsdk:"leader"`
	Term    types.Int64  `tfsdk:"term"`
	Peers   []peerModel  `tfsdk:"peers"`
	IDs     types.Map    `tfsdk:"peer_ids"`
}

type peerModel struct {
	ID        types.Int64  `tfsdk:"id"`
	Name      types.String `tfsdk:"name"`
	Addresses addressModel `tfsdk:"addresses"`
	Zone      types.String `tfsdk:"zone"`
	Version   types.String `tfsdk:"version"`
	Alive     types.Bool   `tfsdk:"alive"`
	Voter     types.Bool   `tfsdk:"voter"`
	Leader    types.Bool   `tfsdk:"leader"`
	Replaced  types.Bool   `tfsdk:"replaced"`

	State     types.String            `tfsdk:"state"`
	Labels    map[string]types.String `tfsdk:"labels"`
	Replicas  types.Int64             `tfsdk:"replicas"`
	Primaries types.Int64             `tfsdk:"primaries"`
	DiskTotal types.Int64             `tfsdk:"disk_total_bytes"`
}

type addressModel struct {
	GRPC types.String `tfsdk:"grpc"`
	HTTP types.String `tfsdk:"http"`
	Peer types.String `tfsdk:"peer"`
}

func (d *cluster) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = "ostraka_cluster"
}

func (d *cluster) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The cluster as one of its nodes sees it: its peers, which of them are alive, and who leads. " +
			"A plain Qdrant cannot answer this.",
		Attributes: map[string]schema.Attribute{
			"id":      text("Id of the cluster, given when it was founded."),
			"version": text("Version of the node that answered."),
			"leader":  number("Id of the peer that leads the cluster's metadata; null when none is known."),
			"term":    number("Raft term of the metadata: it grows with each election."),
			"peers": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The members, ordered by name, then id.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id":   number("Id of the peer. A node that has lost its disk returns with another one."),
					"name": text("Name given to the node."),
					"addresses": schema.SingleNestedAttribute{
						Computed:            true,
						MarkdownDescription: "Where the peer is reached (`HOST:PORT`).",
						Attributes: map[string]schema.Attribute{
							"grpc": text("For clients: Qdrant's gRPC API and the cluster service."),
							"http": text("For health checks and metrics."),
							"peer": text("For the other peers."),
						},
					},
					"zone":             text("Failure domain of the node; replicas of a shard go to different zones first."),
					"version":          text("Version of the node."),
					"alive":            flag("Whether the node that answered reaches the peer."),
					"voter":            flag("Whether the peer votes on the metadata."),
					"leader":           flag("Whether the peer leads the metadata."),
					"state":            text("Declared: `active`; `draining`: its replicas move to other peers; `maintenance`: it leads nothing and nothing of it is replaced."),
					"labels":           schema.MapAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: "Labels of the peer."},
					"replicas":         number("How many replicas are placed there."),
					"primaries":        number("How many of them lead."),
					"disk_total_bytes": number("Size of its disk; null when it is not known."),
					"replaced":         flag("Whether another peer has joined under this name: what this one held is gone."),
				}},
			},
			"peer_ids": schema.MapAttribute{
				ElementType: types.Int64Type, Computed: true, MarkdownDescription: "The ids of the peers, by name. A peer that was replaced is left out.",
			},
		},
	}
}

func text(description string) schema.Attribute {
	return schema.StringAttribute{Computed: true, MarkdownDescription: description}
}

func number(description string) schema.Attribute {
	return schema.Int64Attribute{Computed: true, MarkdownDescription: description}
}

func flag(description string) schema.Attribute {
	return schema.BoolAttribute{Computed: true, MarkdownDescription: description}
}

func (d *cluster) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.session = session.From(req.ProviderData, &resp.Diagnostics)
}

func (d *cluster) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	if !d.session.Readable(req, resp) {
		return
	}
	found, err := d.session.Client.Cluster(ctx)
	if err != nil {
		failed("Cannot read the cluster", err, &resp.Diagnostics)
		return
	}
	out := clusterOf(found)
	ids := map[string]int64{}
	for _, p := range found.Peers {
		if !p.Replaced {
			ids[p.Name] = int64(p.ID)
		}
	}
	m, diags := types.MapValueFrom(ctx, types.Int64Type, ids)
	resp.Diagnostics.Append(diags...)
	out.IDs = m
	resp.Diagnostics.Append(resp.State.Set(ctx, out)...)
}

func clusterOf(c *client.Cluster) clusterModel {
	out := clusterModel{
		ID: types.StringValue(c.ID), Version: types.StringValue(c.Version), Leader: peerID(c.Leader),
		Term: types.Int64Value(int64(c.Term)), Peers: []peerModel{},
	}
	for _, p := range c.Peers {
		labels := map[string]types.String{}
		for key, value := range p.Labels {
			labels[key] = types.StringValue(value)
		}
		disk := types.Int64Null()
		if p.DiskTotal > 0 {
			disk = types.Int64Value(int64(p.DiskTotal))
		}
		out.Peers = append(out.Peers, peerModel{
			State: types.StringValue(string(p.State)), Labels: labels, Replicas: types.Int64Value(int64(p.Replicas)),
			Primaries: types.Int64Value(int64(p.Primaries)), DiskTotal: disk,
			ID: peerID(p.ID), Name: types.StringValue(p.Name), Zone: types.StringValue(p.Zone), Version: types.StringValue(p.Version),
			Addresses: addressModel{
				GRPC: types.StringValue(p.GRPCAddress), HTTP: types.StringValue(p.HTTPAddress), Peer: types.StringValue(p.PeerAddress),
			},
			Alive: types.BoolValue(p.Alive), Voter: types.BoolValue(p.Voter), Leader: types.BoolValue(p.Leader),
			Replaced: types.BoolValue(p.Replaced),
		})
	}
	return out
}

// peerID is null for "none": 0 is no peer.
func peerID(id client.PeerID) types.Int64 {
	if id == 0 {
		return types.Int64Null()
	}
	return types.Int64Value(int64(id))
}

func failed(summary string, err error, diags *diag.Diagnostics) {
	if errors.Is(err, client.ErrNotOstraka) {
		diags.AddError("Not an Ostraka cluster", err.Error()+".")
		return
	}
	diags.AddError(summary, err.Error())
}
