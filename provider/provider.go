// Package provider is the Terraform provider ostraka/ostraka: what is declared of an Ostraka cluster as resources, the
// cluster and the placement as data sources.
//
// It owns the provider's configuration and puts the resources together; each noun is a package of its own under
// internal. It promises that configuring it uses no network, that a plan never depends on whether the cluster can be
// reached, and that only "not found" removes a resource from the state. It uses package client and nothing of a node.
package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	ouraction "github.com/ostraka/terraform-provider-ostraka/provider/internal/action"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/alias"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/collection"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/payloadindex"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/peer"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/quorum"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/shardkey"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/topology"
)

// Address is the provider's source address on the public registry.
const Address = "registry.terraform.io/ostraka/ostraka"

// New returns a constructor of the provider, as providerserver wants it. The version is shown to servers and users.
func New(version string) func() provider.Provider {
	return func() provider.Provider { return &ostraka{version: version} }
}

type ostraka struct {
	version string
}

var (
	_ provider.ProviderWithFunctions     = (*ostraka)(nil)
	_ provider.ProviderWithListResources = (*ostraka)(nil)
	_ provider.ProviderWithActions       = (*ostraka)(nil)
)

func (p *ostraka) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "ostraka"
	resp.Version = p.version
}

func (p *ostraka) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{collection.New, alias.New, payloadindex.New, shardkey.New, peer.New}
}

func (p *ostraka) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{topology.NewCluster, topology.NewPlacement, collection.NewData, collection.NewDataList}
}

func (p *ostraka) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{collection.NewList, alias.NewList, payloadindex.NewList, shardkey.NewList, peer.NewList}
}

func (p *ostraka) Actions(context.Context) []func() action.Action {
	return []func() action.Action{ouraction.NewRebalance, ouraction.NewDrain}
}

func (p *ostraka) Functions(context.Context) []func() function.Function {
	return []func() function.Function{quorum.New, quorum.NewSurvives, quorum.NewShardsFor, quorum.NewMemoryBytes}
}
