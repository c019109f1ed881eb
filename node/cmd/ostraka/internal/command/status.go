package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func statusTable() config.Table {
	return append(clientTable(), outputSetting())
}

func outputSetting() config.Setting {
	return config.Setting{Name: "output", Placeholder: "FORMAT", Default: "table", Usage: "table or json"}
}

func newStatus(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show peers, leader, collections, shards and replicas, and what is not as declared",
		Long: `Status shows the cluster as the node that is asked sees it: its peers and who leads them, every collection with its
shards, where each replica is and in which state, and at the end whatever is not as declared, and why.`,
		Example: `  ostraka status
  ostraka status --endpoint 10.0.0.1:6334,10.0.0.2:6334
  ostraka status -o json | jq '.problems'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return status(w, cmd) },
	}
	bind(cmd, statusTable())
	return cmd
}

func status(w World, cmd *cobra.Command) error {
	_, output, c, err := begin(w, cmd, statusTable())
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is in flight
	s, err := readSituation(cmd.Context(), c)
	if err != nil {
		return err
	}
	if s.operations, err = c.Operations(cmd.Context(), "", true); err != nil && client.ClassOf(err) != client.ClassUnsupported {
		return err
	}
	settings, err := c.Settings(cmd.Context())
	if err != nil && client.ClassOf(err) != client.ClassUnsupported {
		return err
	}
	s.paused = settings.Paused != nil && *settings.Paused
	if output == "json" {
		return printJSON(w.Out, s.json())
	}
	p := newPrinter(w)
	s.print(p, w.Now())
	return p.err
}

// situation is all that status shows.
type situation struct {
	cluster     *client.Cluster
	collections []client.CollectionPlacement
	operations  []client.Operation // that run
	paused      bool
}

func readSituation(ctx context.Context, c *client.Client) (situation, error) {
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return situation{}, err
	}
	collections, err := c.Placement(ctx)
	return situation{cluster: cluster, collections: collections}, err
}

// peerName returns the name of a peer, or its id when it is not a member any more.
func (s situation) peerName(id client.PeerID) string {
	if id == 0 {
		return "-"
	}
	if p, ok := s.cluster.Peer(id); ok {
		return p.Name
	}
	return "peer " + idText(id)
}
