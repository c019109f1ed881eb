package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func devTable() config.Table {
	return config.Table{
		{Name: "nodes", Kind: config.Int, Placeholder: "N", Default: "3", Usage: "how many nodes"},
		{Name: "data-dir", Placeholder: "DIR", Usage: "where they keep their data (default: a folder that is removed in the end)"},
		{Name: "base-port", Kind: config.Int, Placeholder: "PORT", Default: "6333", Usage: "first port: node i takes base+10(i-1) for HTTP, and the next two for clients and peers; 0: free ones"},
		{Name: "log-level", Placeholder: "LEVEL", Default: "error", Usage: "trace, debug, info, warn or error"},
		{Name: "log-format", Placeholder: "FORMAT", Default: "text", Usage: "text or json"},
	}
}

func newDev(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a cluster of several nodes in one process, to try things",
		Long: `Dev runs a whole cluster on this machine: real nodes, which talk to one another over loopback. It prints where they
listen, and runs until Ctrl-C.`,
		Example: `  ostraka dev
  ostraka dev --nodes 5 --data-dir ./data --base-port 7000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return dev(w, cmd) },
	}
	bind(cmd, devTable())
	return cmd
}

func dev(w World, cmd *cobra.Command) error {
	v, err := resolve(w, cmd, devTable())
	if err != nil {
		return err
	}
	level, err := oneOf(v, "log-level", "trace", "debug", "info", "warn", "error")
	if err != nil {
		return err
	}
	format, err := oneOf(v, "log-format", "text", "json")
	if err != nil {
		return err
	}
	if v.Int("nodes") < 1 {
		return usage("--nodes: want at least 1")
	}
	logger := newLogger(w, level, format)
	cluster, err := devcluster.Start(cmd.Context(), devcluster.Options{
		Nodes: v.Int("nodes"), Dir: v.String("data-dir"), BasePort: v.Int("base-port"), Version: w.Version, Logger: logger,
	})
	if err != nil {
		if errors.Is(cmd.Context().Err(), context.Canceled) {
			return nil // Ctrl-C while it started
		}
		return err
	}
	announce(newPrinter(w), cluster, v.String("data-dir"))
	<-cmd.Context().Done()
	fmt.Fprintln(w.Err, "Stopping.") //nolint:errcheck // what matters is the stopping
	if !v.Given("log-level") {
		logger.SetLevel(hclog.Off) // nodes that end side by side complain about one another's connections
	}
	return cluster.Close()
}

func announce(p *printer, cluster *devcluster.Cluster, dir string) {
	endpoints, https := cluster.Endpoints(), cluster.HTTPAddresses()
	var rows [][]cell
	for i := range endpoints {
		rows = append(rows, []cell{{text: fmt.Sprintf("node-%d", i+1)}, {text: endpoints[i]}, {text: https[i]}})
	}
	p.table([]string{"NODE", "CLIENTS (GRPC)", "HEALTH AND METRICS (HTTP)"}, rows)
	if dir == "" {
		dir = "a temporary folder, removed in the end (keep it with --data-dir)"
	}
	p.printf(`
Data: %s
Look: ostraka status --endpoint %s
Terraform: export OSTRAKA_ENDPOINTS=%s

Running until Ctrl-C.
`, dir, endpoints[0], strings.Join(endpoints, ","))
}
