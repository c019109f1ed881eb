package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

// watchedLines is how many transfers are shown at once.
const watchedLines = 20

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
		Long: `Watch shows the operations that run and the copies that are on their way, with how far each has come, again and again until Ctrl-C.
On a terminal it draws over what it has drawn; elsewhere it writes what has changed. With -o json each look is one line.`,
		Example: "  ostraka watch\n  ostraka watch --once",
		Args:    noArgs,
		RunE:    asks(w, watchTable(), func(a *asking, _ []string) error { return a.watch() }),
	}
	bind(cmd, watchTable())
	return cmd
}

// progressing is what watch shows of one moment.
type progressing struct {
	situation
	operations []client.Operation
	transfers  []transferring
	partial    int // copies that are being brought up to date, those among them that need no snapshot
}

// transferring is a copy that is being filled from a snapshot.
type transferring struct {
	collection string
	shard      uint32
	to         client.PeerID
	client.Transfer
}

func (a *asking) watch() error {
	if a.v.Int("every") < 1 {
		return usage("--every: want at least 1")
	}
	ticker := time.NewTicker(time.Duration(a.v.Int("every")) * time.Second)
	defer ticker.Stop()
	view := &watching{a: a, terminal: a.w.Width(a.w.Out) > 0 && !a.v.Bool("once")}
	for {
		now, err := a.look()
		switch {
		case errors.Is(a.ctx.Err(), context.Canceled):
			return nil
		case err != nil && a.v.Bool("once"), err != nil && !client.IsTransient(err):
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

func (a *asking) look() (progressing, error) {
	s, err := readSituation(a.ctx, a.c)
	if err != nil {
		return progressing{}, err
	}
	now := progressing{situation: s}
	now.operations, err = a.c.Operations(a.ctx, "", true)
	for _, c := range s.collections {
		for _, shard := range c.Shards {
			for _, r := range shard.Replicas {
				if r.State == client.ReplicaPartial {
					now.partial++
				}
				if r.Transfer != nil {
					now.transfers = append(now.transfers, transferring{c.Collection, shard.ID, r.Peer, *r.Transfer})
				}
			}
		}
	}
	return now, err
}

// watching shows one look after the other.
type watching struct {
	a        *asking
	terminal bool
	lines    int // drawn before
	last     string
}

func (v *watching) show(now progressing) error {
	if v.a.json {
		return json.NewEncoder(v.a.w.Out).Encode(now.json())
	}
	text := now.text()
	if !v.terminal {
		if text == v.last {
			return nil
		}
		v.last = text
		_, err := fmt.Fprint(v.a.w.Out, text)
		return err
	}
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.lines)
	}
	width := v.a.w.Width(v.a.w.Out)
	v.lines = 0
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "\x1b[K%s\n", cutTo(strings.TrimSuffix(line, "\n"), width))
		v.lines++
	}
	b.WriteString("\x1b[J")
	_, err := fmt.Fprint(v.a.w.Out, b.String())
	return err
}

// text is a line per operation and transfer.
func (p progressing) text() string {
	var b strings.Builder
	if len(p.operations) == 0 && p.partial == 0 {
		return "Nothing is under way.\n"
	}
	for _, o := range p.operations {
		fmt.Fprintf(&b, "%s%s\n", barOf(o.Done, o.Total), p.operationLine(o))
	}
	for i, t := range p.transfers {
		if i == watchedLines {
			fmt.Fprintf(&b, "... and %d more transfers\n", len(p.transfers)-i)
			break
		}
		line := fmt.Sprintf("%s/%d to %s", t.collection, t.shard, p.peerName(t.to))
		switch {
		case t.From != 0:
			line += fmt.Sprintf(" from %s: %s of %s", p.peerName(t.From), size(t.Bytes), size(t.TotalBytes))
		case t.Problem != "":
			line += ": waits: " + t.Problem
		default:
			line += ": waits for its turn"
		}
		fmt.Fprintf(&b, "%s%s\n", barOf(t.Bytes, t.TotalBytes), printable(line))
	}
	if rest := p.partial - len(p.transfers); rest > 0 {
		fmt.Fprintf(&b, "%s being brought up to date from the log\n", countOf(rest, "replica is", "replicas are"))
	}
	return b.String()
}

type progressingJSON struct {
	Operations []operationJSON `json:"operations"`
	Transfers  []transferJSON  `json:"transfers"`
	Partial    int             `json:"partial_replicas"`
}

type transferJSON struct {
	Collection string `json:"collection"`
	Shard      uint32 `json:"shard"`
	From       uint64 `json:"from_peer,omitempty"`
	To         uint64 `json:"to_peer"`
	Bytes      uint64 `json:"bytes"`
	TotalBytes uint64 `json:"total_bytes"`
	Problem    string `json:"problem,omitempty"`
}

func (p progressing) json() progressingJSON {
	out := progressingJSON{Operations: operationsJSON(p.operations), Transfers: []transferJSON{}, Partial: p.partial}
	for _, t := range p.transfers {
		out.Transfers = append(out.Transfers, transferJSON{Collection: t.collection, Shard: t.shard, From: uint64(t.From), To: uint64(t.to),
			Bytes: t.Bytes, TotalBytes: t.TotalBytes, Problem: t.Problem})
	}
	return out
}
