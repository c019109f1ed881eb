package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func watchTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "every", Kind: config.Int, Placeholder: "SECONDS", Default: "1", Usage: "how often to look"},
		config.Setting{Name: "once", Kind: config.Bool, Default: "false", Usage: "look once, and end"},
	)
}

func newWatch(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch operations and transfers as they go on",
		Long: `Watch shows the operations that run, the copies and the slots that are on their way, how far each has come, how fast it goes, and how
long it will take at that pace, again and again until Ctrl-C. On a terminal these are bars, drawn over what was drawn before; elsewhere it
writes a line when something begins or ends, and every few seconds while it goes on. With -o json each look is one line.`,
		Example: "  ostraka watch\n  ostraka watch --once",
		Args:    noArgs,
		RunE:    asks(w, watchTable(), func(a *asking, _ []string) error { return a.watch() }),
	}
	bind(cmd, watchTable())
	return cmd
}

func (a *asking) watch() error {
	if a.v.Int("every") < 1 {
		return usage("--every: want at least 1")
	}
	ticker := time.NewTicker(time.Duration(a.v.Int("every")) * time.Second)
	defer ticker.Stop()
	view := &watching{a: a, terminal: a.w.Width(a.w.Out) > 0, once: a.v.Bool("once"), paces: paces{}, told: map[string]told{}}
	for first := true; ; first = false {
		now, err := a.look(view.paces)
		switch {
		case errors.Is(a.ctx.Err(), context.Canceled):
			return nil
		case err != nil && (first || !client.IsTransient(err)): // nobody was there to watch
			return err
		case err != nil:
			fmt.Fprintf(a.w.Err, "%s\n", explain(err)) //nolint:errcheck // it looks again
		default:
			if err := view.show(now); err != nil {
				return err
			}
		}
		if a.v.Bool("once") {
			return nil
		}
		select {
		case <-ticker.C:
		case <-a.ctx.Done():
			return nil
		}
	}
}
