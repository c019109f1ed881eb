package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

// asking is a command at work that asks a cluster.
type asking struct {
	w    World
	ctx  context.Context
	v    config.Values
	json bool
	c    *client.Client
}

// asks makes what a command does of what it asks: its settings are resolved, a client is there and is closed after.
func asks(w World, table config.Table, do func(*asking, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		v, output, c, err := begin(w, cmd, table)
		if err != nil {
			return err
		}
		defer c.Close() //nolint:errcheck // nothing is in flight
		return do(&asking{w: w, ctx: cmd.Context(), v: v, json: output == "json", c: c}, args)
	}
}

// show prints v as JSON, or what table prints for people.
func (a *asking) show(v any, table func(*printer)) error {
	if a.json {
		return printJSON(a.w.Out, v)
	}
	p := newPrinter(a.w)
	table(p)
	return p.err
}

// exactly takes so many arguments, which are called so.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage("%s: %s is missing; see %s --help", cmd.CommandPath(), names[len(args)], cmd.CommandPath())
		case len(args) > len(names):
			return usage("%s: %q is too much; see %s --help", cmd.CommandPath(), args[len(names)], cmd.CommandPath())
		}
		return nil
	}
}

// thePeer finds a peer by its name or id; if it is missing, the error names those there are.
func (a *asking) thePeer(text string) (client.Peer, error) {
	cluster, err := a.c.Cluster(a.ctx)
	if err != nil {
		return client.Peer{}, err
	}
	return findPeer(cluster, text)
}

func findPeer(cluster *client.Cluster, text string) (client.Peer, error) {
	var names []string
	for _, p := range cluster.Peers {
		if p.Name == text && !p.Replaced {
			return p, nil
		}
		if !p.Replaced {
			names = append(names, p.Name)
		}
	}
	if id, err := strconv.ParseUint(text, 10, 64); err == nil {
		if p, ok := cluster.Peer(client.PeerID(id)); ok {
			return p, nil
		}
	}
	return client.Peer{}, fmt.Errorf("there is no peer %q: there are %s", text, strings.Join(names, ", "))
}

// placementOf reads a list of peers, by name or id: nil if there is none, empty for all.
func placementOf(cluster *client.Cluster, text string) ([]client.PeerID, error) {
	switch text {
	case "":
		return nil, nil
	case "all":
		return []client.PeerID{}, nil
	}
	var ids []client.PeerID
	for _, one := range strings.Split(text, ",") {
		peer, err := findPeer(cluster, strings.TrimSpace(one))
		if err != nil {
			return nil, err
		}
		ids = append(ids, peer.ID)
	}
	return ids, nil
}

// completePeers offers the names of the peers for a command's first argument.
func completePeers(w World, table config.Table) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		err := completing(w, cmd, table, func(ctx context.Context, c *client.Client) error {
			cluster, err := c.Cluster(ctx)
			if err != nil {
				return err
			}
			for _, p := range cluster.Peers {
				if strings.HasPrefix(p.Name, typed) && !p.Replaced {
					out = append(out, p.Name)
				}
			}
			return nil
		})
		if err != nil {
			cobra.CompErrorln(err.Error()) // shown only where completion is debugged
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// completePeerList offers the names of the peers for the last of a list of them.
func completePeerList(w World, table config.Table) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		at := strings.LastIndex(typed, ",") + 1
		names, directive := completePeers(w, table)(cmd, nil, typed[at:])
		for i := range names {
			names[i] = typed[:at] + names[i]
		}
		return names, directive
	}
}

// completeFlag completes a flag that the command must have.
func completeFlag(cmd *cobra.Command, name string, with func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)) {
	if err := cmd.RegisterFlagCompletionFunc(name, with); err != nil {
		panic(fmt.Sprintf("complete --%s: %v", name, err)) // only when the flag does not exist
	}
}

// completeOperations offers the ids of the operations that run.
func completeOperations(w World, table config.Table) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		var out []string
		err := completing(w, cmd, table, func(ctx context.Context, c *client.Client) error {
			running, err := c.Operations(ctx, "", true)
			for _, o := range running {
				if id := strconv.FormatUint(o.ID, 10); len(args) == 0 && strings.HasPrefix(id, typed) {
					out = append(out, id+"\t"+o.Kind)
				}
			}
			return err
		})
		if err != nil {
			cobra.CompErrorln(err.Error()) // as above
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// completing asks a cluster for what the shell is to offer, for a short while.
func completing(w World, cmd *cobra.Command, table config.Table, ask func(context.Context, *client.Client) error) error {
	v, err := resolve(w, cmd, table)
	if err != nil {
		return err
	}
	c, err := connect(w, v)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is in flight
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	return ask(ctx, c)
}

// size says bytes for people.
func size(n uint64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1000 && unit < len(units)-1 {
		value /= 1 << 10
		unit++
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %ciB", value, units[unit])
	}
	return fmt.Sprintf("%.0f %ciB", value, units[unit])
}
