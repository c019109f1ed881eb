// Command ostraka is the node and its command line.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/ostraka/terraform-provider-ostraka/node/cmd/ostraka/internal/command"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once: the handler is gone by then.
	context.AfterFunc(ctx, stop)
	hostname, _ := os.Hostname() // "" makes --name required
	return command.Run(ctx, command.World{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Lookup: os.LookupEnv, Hostname: hostname, Now: time.Now,
		Width: width, Version: version, Commit: commit(),
	}, os.Args[1:])
}

// width returns the width of the terminal that out is, or 0 if it is none.
func width(out any) int {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil || w <= 0 {
		return 80
	}
	return w
}

func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
