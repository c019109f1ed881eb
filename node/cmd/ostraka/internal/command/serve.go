package command

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/overload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/server"
)

func newServe(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve --data-dir DIR",
		Short: "Run a node",
		Long: `Serve runs one node until it is told to stop. A new node needs one way into a cluster:

  --bootstrap                          it is the first node of a new cluster
  --join HOST:PORT,...                 it joins the cluster that these members (peer addresses) belong to
  --bootstrap-expect N --join A,B,...  all nodes start alike, and form the cluster once N of them have met

A node that is started again with the same --data-dir needs none of them. SIGTERM makes it stop taking requests, hand
over what it leads, and end with exit code 0.`,
		Example: `  ostraka serve --data-dir /var/lib/ostraka --bootstrap
  ostraka serve --data-dir /var/lib/ostraka --grpc-addr 0.0.0.0:6334 --peer-addr 0.0.0.0:6335 \
      --advertise-grpc 10.0.0.2:6334 --advertise-peer 10.0.0.2:6335 --join 10.0.0.1:6335
  ostraka serve --config /etc/ostraka/node.hcl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(w, cmd) },
	}
	bind(cmd, config.Serve())
	return cmd
}

// spareThreads is how many threads beyond the processors run Go code at once. While indexing and the store's work keep all
// processors busy, what comes over the network is noticed by a thread that has nothing else to do, and the system
// shares the processors more finely than the runtime does.
const spareThreads = 2

func serve(w World, cmd *cobra.Command) error {
	v, err := resolve(w, cmd, config.Serve())
	if err != nil {
		return err
	}
	o, err := v.ServeOptions(w.Hostname)
	if err != nil {
		return err
	}
	if _, given := w.Lookup("GOMAXPROCS"); !given {
		runtime.GOMAXPROCS(runtime.NumCPU() + spareThreads)
	}
	logger := newLogger(w, o.LogLevel, o.LogFormat)
	for _, text := range o.Warnings {
		logger.Warn("a setting looks wrong", "warning", text)
	}
	defer limitGarbage(cmd.Context(), w, o.MemoryLimit)()
	err = server.Run(cmd.Context(), server.Options{
		DataDir: o.DataDir, Name: o.Name, Zone: o.Zone, Version: w.Version, Commit: w.Commit,
		HTTPAddr: o.HTTPAddr, GRPCAddr: o.GRPCAddr, PeerAddr: o.PeerAddr,
		AdvertiseHTTP: o.AdvertiseHTTP, AdvertiseGRPC: o.AdvertiseGRPC, AdvertisePeer: o.AdvertisePeer,
		Bootstrap: o.Bootstrap, Join: o.Join, BootstrapExpect: o.BootstrapExpect, VerifyEvery: o.VerifyEvery, Logger: logger,
		Limits:      overload.Limits{Requests: o.MaxRequests, Waiting: o.MaxWaiting, Bodies: o.RequestMemory},
		MemoryLimit: o.MemoryLimit,
	})
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// limitGarbage has the runtime give back what is no longer used before data are refused for its sake, until end is called.
func limitGarbage(ctx context.Context, w World, limit int64) (end func()) {
	if w.Lookup != nil {
		if _, set := w.Lookup("GOMEMLIMIT"); set {
			return func() {}
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { overload.LimitGarbage(ctx, overload.MemoryLimit(limit)) })
	return func() {
		cancel()
		wg.Wait()
	}
}

func newLogger(w World, level, format string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "ostraka", Level: hclog.LevelFromString(level), Output: w.Err, JSONFormat: format == "json",
	})
}
