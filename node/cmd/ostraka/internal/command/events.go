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

func eventsTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "follow", Kind: config.Bool, Default: "false", Usage: "go on with what happens from now"},
		config.Setting{Name: "last", Kind: config.Int, Placeholder: "N", Default: "0", Usage: "begin with the last N events; 0: with all that the node remembers"},
	)
}

func newEvents(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened: elections, promotions, demotions, lost and returning peers, ...",
		Long: `Events shows what the node that is asked has seen happen since it started: who came to lead, replicas that stopped
counting and came back, peers that fell silent, shards with too few copies, refused writes, replicas that differ. A node
remembers a few thousand events; where some are lost, a line says so.`,
		Example: `  ostraka events --last 20
  ostraka events --follow
  ostraka events -o json | jq 'select(.severity == "error")'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return events(w, cmd) },
	}
	bind(cmd, eventsTable())
	return cmd
}

func events(w World, cmd *cobra.Command) error {
	v, output, c, err := begin(w, cmd, eventsTable())
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is in flight
	p := newPrinter(w)
	show := p.event
	if output == "json" {
		show = p.eventJSON
	}
	o := client.EventOptions{Last: uint32(min(v.Int("last"), 1<<30)), Follow: v.Bool("follow")}
	err = c.Events(cmd.Context(), o, func(e *client.Event, gap *client.Gap) error {
		show(e, gap)
		return p.err
	})
	if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
		return nil // whoever followed has seen enough
	}
	return err
}

func severityColour(severity string) string {
	switch severity {
	case "warn":
		return yellow
	case "error":
		return red
	}
	return plain
}

// event prints one event, or the gap before the next, on a line.
func (p *printer) event(e *client.Event, gap *client.Gap) {
	if gap != nil {
		p.printf("%s\n", p.paint("... "+gapText(gap), yellow))
		return
	}
	p.printf("%s  %s  %s\n", e.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
		p.paint(fmt.Sprintf("%-18s", printable(e.Kind)), severityColour(e.Severity)), printable(e.Text))
}

func gapText(gap *client.Gap) string {
	if gap.Missed == 0 {
		return "events were lost: the node has restarted, or is another one"
	}
	return fmt.Sprintf("%s events are no longer remembered", grouped(gap.Missed))
}

type eventJSON struct {
	Cursor     uint64  `json:"cursor,omitempty"`
	Time       string  `json:"time,omitempty"`
	Kind       string  `json:"kind"`
	Severity   string  `json:"severity,omitempty"`
	Collection string  `json:"collection,omitempty"`
	Shard      *uint32 `json:"shard,omitempty"`
	Peer       uint64  `json:"peer,omitempty"`
	Missed     *uint64 `json:"missed,omitempty"` // of a gap
	Text       string  `json:"text"`
}

// eventJSON prints one event on a line. A gap is one of kind "gap".
func (p *printer) eventJSON(e *client.Event, gap *client.Gap) {
	if gap != nil {
		p.printf("%s\n", compactJSON(eventJSON{Kind: "gap", Missed: &gap.Missed, Text: gapText(gap)}))
		return
	}
	p.printf("%s\n", compactJSON(eventJSON{Cursor: e.Cursor, Time: e.Time.UTC().Format(time.RFC3339Nano), Kind: e.Kind, Severity: e.Severity,
		Collection: e.Collection, Shard: e.Shard, Peer: uint64(e.Peer), Text: e.Text}))
}
