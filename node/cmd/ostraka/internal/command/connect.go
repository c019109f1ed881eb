package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

// completionTimeout bounds how long the shell waits for names to offer.
const completionTimeout = 2 * time.Second

// clientTable is the settings of every command that talks to a cluster.
func clientTable() config.Table {
	return config.Table{
		{Name: "endpoint", Kind: config.List, Placeholder: "HOST:PORT,...", Default: "127.0.0.1:6334", AlsoEnv: "OSTRAKA_ENDPOINTS",
			Usage: "gRPC address of any node; with several the next is tried when one does not answer"},
		{Name: "api-key", Placeholder: "KEY", Usage: "API key (better given as OSTRAKA_API_KEY: others can see flags)"},
		{Name: "tls", Kind: config.Bool, Default: "false", Usage: "use TLS"},
		{Name: "tls-ca", Placeholder: "FILE", Usage: "certificate authority of the nodes, PEM (default: the system's)"},
		{Name: "tls-cert", Placeholder: "FILE", Usage: "client certificate, PEM"},
		{Name: "tls-key", Placeholder: "FILE", Usage: "key of the client certificate, PEM"},
		{Name: "tls-server-name", Placeholder: "NAME", Usage: "name that the node's certificate must have (default: the endpoint's host)"},
	}
}

// connect makes the client of a command; no network is used yet.
func connect(w World, v config.Values) (*client.Client, error) {
	c := client.Config{
		Endpoints: v.List("endpoint"), APIKey: v.String("api-key"), UserAgent: "ostraka/" + w.Version, Dialer: w.Dial,
	}
	options := client.TLS{
		CAFile: v.String("tls-ca"), CertFile: v.String("tls-cert"), KeyFile: v.String("tls-key"), ServerName: v.String("tls-server-name"),
	}
	switch {
	case v.Bool("tls"):
		c.TLS = &options
	case options != client.TLS{}:
		return nil, usage("--tls-ca, --tls-cert, --tls-key and --tls-server-name say how to use TLS: give --tls as well")
	}
	cl, err := client.New(c)
	if err != nil {
		return nil, usage("%v", err)
	}
	return cl, nil
}

// completeCollections offers the names of the collections to the shell.
func completeCollections(w World, cmd *cobra.Command, table config.Table) {
	err := cmd.RegisterFlagCompletionFunc("collection", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		names, err := collectionNames(w, cmd, table)
		if err != nil {
			cobra.CompErrorln(err.Error()) // shown only where completion is debugged
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var out []string
		for _, name := range names {
			if strings.HasPrefix(name, typed) {
				out = append(out, name)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(fmt.Sprintf("complete --collection: %v", err)) // only when the flag does not exist
	}
}

func collectionNames(w World, cmd *cobra.Command, table config.Table) ([]string, error) {
	v, err := resolve(w, cmd, table)
	if err != nil {
		return nil, err
	}
	c, err := connect(w, v)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // nothing is in flight
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	return c.ListCollections(ctx)
}

// theCollection returns the collection that a command is about; if it is missing, the error names those there are.
func theCollection(ctx context.Context, c *client.Client, name string) (*client.Collection, error) {
	if name == "" {
		return nil, usage("--collection: missing: name one")
	}
	found, err := c.GetCollection(ctx, name)
	if !client.IsNotFound(err) {
		return found, err
	}
	names, listErr := c.ListCollections(ctx)
	switch {
	case listErr != nil:
		return nil, fmt.Errorf("there is no collection %q", name)
	case len(names) == 0:
		return nil, fmt.Errorf("there is no collection %q: the cluster has none yet", name)
	case len(names) > 20:
		names = append(names[:20], "...")
	}
	return nil, fmt.Errorf("there is no collection %q: there are %s", name, strings.Join(names, ", "))
}

// begin settles what the commands that ask a cluster have in common: their settings, the form of their output, and a
// client, which the caller closes.
func begin(w World, cmd *cobra.Command, table config.Table) (config.Values, string, *client.Client, error) {
	v, err := resolve(w, cmd, table)
	if err != nil {
		return v, "", nil, err
	}
	output, err := oneOf(v, "output", "table", "json")
	if err != nil {
		return v, "", nil, err
	}
	c, err := connect(w, v)
	return v, output, c, err
}
