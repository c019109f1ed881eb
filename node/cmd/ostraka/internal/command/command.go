// Package command owns the command line of ostraka: its commands, their flags, and what they print.
//
// It promises that every setting is a flag, an environment variable and a key of the configuration file alike, that
// results go to standard output and everything else to standard error, that colours and moving progress appear on a
// terminal only, and that the exit code tells what happened (the constants below). It never exits the process, reads no
// global state, and holds no logic of the node.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1 // the command was understood but did not succeed
	exitUsage       = 2 // a flag, variable, file or argument is wrong
	exitUnreachable = 3 // no node answered, or none could serve the request
)

// World is everything outside that a command uses.
type World struct {
	In       io.Reader
	Out, Err io.Writer
	Lookup   func(string) (string, bool) // the environment
	Hostname string
	Now      func() time.Time
	Width    func(out any) int // of the terminal that out is; 0: it is none
	Version  string
	Commit   string

	// Dial replaces TCP, for tests.
	Dial func(ctx context.Context, endpoint string) (net.Conn, error)
}

// Run runs one command line and returns the exit code.
func Run(ctx context.Context, w World, args []string) int {
	root := newRoot(w)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(w.Err, "ostraka: %s\n", explain(err)) //nolint:errcheck // there is nobody left to tell
	return exitCode(err)
}

func newRoot(w World) *cobra.Command {
	root := &cobra.Command{
		Use:   "ostraka",
		Short: "A distributed vector database, and the tools to look into it",
		Long: `Ostraka keeps collections of vectors on a cluster of nodes, in shards with copies, and speaks Qdrant's gRPC API.

Every flag can also be given as an environment variable (--data-dir as OSTRAKA_DATA_DIR) and as a key in a file
(--config node.hcl, with data_dir = "..."). The flag wins over the variable, the variable over the file.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no node answered.`,
		Example: `  ostraka dev                                             three nodes on this machine, to try things
  ostraka status                                          who is in the cluster, and where everything is
  ostraka load --collection words words.jsonl.gz          fill a collection
  ostraka query --collection words --where word=king      search it
  ostraka plan                                            what the cluster is about to do, and why
  ostraka peer drain node-3 --wait                        empty a node`,
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		Args:                       noArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(w.In)
	root.SetOut(w.Out)
	root.SetErr(w.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage("%v; see %s --help", err, cmd.CommandPath()) })
	root.PersistentFlags().String("config", "", "read settings from this HCL `FILE` (OSTRAKA_CONFIG)")
	root.AddCommand(newServe(w), newDev(w), newStatus(w), newVerify(w), newEvents(w), newLoad(w), newQuery(w), newVersion(w),
		newPlan(w), newPeer(w), newSettings(w), newPause(w, true), newPause(w, false), newReshard(w), newShardKey(w), newRebalance(w), newOperations(w), newWatch(w), newWait(w), newCancel(w))
	return root
}

// usageError is a wrong command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

func exitCode(err error) int {
	var wrong *usageError
	switch {
	case errors.As(err, &wrong), fault.Is(err, fault.Invalid):
		return exitUsage
	case client.IsUnavailable(err), client.IsTimeout(err):
		return exitUnreachable
	}
	return exitFailed
}

// explain words an error for people: the message, and what may help.
func explain(err error) string {
	var e *client.Error
	if !errors.As(err, &e) || e.Endpoint == "" {
		return err.Error()
	}
	text := strings.Replace(err.Error(), e.Error(), e.Message, 1)
	if e.MaybeApplied {
		text += "; the change may have been made, or may be yet"
	}
	switch e.Class {
	case client.ClassUnavailable:
		return fmt.Sprintf("%s: %s\nIs the node running? Name others with --endpoint HOST:PORT,...", e.Endpoint, text)
	case client.ClassTimeout:
		return fmt.Sprintf("%s: %s", e.Endpoint, text)
	case client.ClassUnauthenticated, client.ClassDenied:
		return fmt.Sprintf("%s: %s\nGive an API key that allows it in OSTRAKA_API_KEY", e.Endpoint, text)
	default:
		return text
	}
}

// noArgs refuses arguments, and on what has commands below it one that does not exist.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return usage("%s takes no argument %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += ": did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage("%s; see %s --help", text, cmd.CommandPath())
}

func newVersion(w World) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			line := "ostraka " + w.Version
			if w.Commit != "" {
				line += " (" + w.Commit + ")"
			}
			_, err := fmt.Fprintln(w.Out, line)
			return err
		},
	}
}

// readConfig returns the file named by --config or OSTRAKA_CONFIG.
func readConfig(w World, cmd *cobra.Command) (name string, raw []byte, err error) {
	name, err = cmd.Flags().GetString("config")
	if err != nil {
		return "", nil, err
	}
	if name == "" && w.Lookup != nil {
		name, _ = w.Lookup("OSTRAKA_CONFIG")
	}
	if name == "" {
		return "", nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return "", nil, usage("--config: %v", err)
	}
	defer f.Close() //nolint:errcheck // only read
	raw, err = io.ReadAll(io.LimitReader(f, config.MaxFileBytes+1))
	if err != nil {
		return "", nil, usage("--config: %v", err)
	}
	return name, raw, nil
}
