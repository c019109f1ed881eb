package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func waitSetting() config.Setting {
	return config.Setting{Name: "wait", Kind: config.Bool, Default: "false", Usage: "wait until it is done, and show how far it has come"}
}

func operationsTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "collection", Placeholder: "NAME", Usage: "only those of this collection"},
		config.Setting{Name: "running", Kind: config.Bool, Default: "false", Usage: "only those that run"},
	)
}

func rebalanceTable() config.Table {
	return append(clientTable(), outputSetting(), waitSetting(),
		config.Setting{Name: "collection", Placeholder: "NAME", Usage: "only this collection (default: all)"},
	)
}

func operationTable() config.Table { return append(clientTable(), outputSetting()) }

func newOperations(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "operations",
		Short:   "Show what takes long: what runs, and the last ones that ended",
		Example: "  ostraka operations --running\n  ostraka operations -o json | jq '.[] | select(.state == \"failed\")'",
		Args:    noArgs,
		RunE: asks(w, operationsTable(), func(a *asking, _ []string) error {
			all, err := a.c.Operations(a.ctx, a.v.String("collection"), a.v.Bool("running"))
			if err != nil {
				return err
			}
			s, err := a.named()
			if err != nil {
				return err
			}
			return a.show(operationsJSON(all), func(p *printer) { s.printOperations(p, all, w.Now()) })
		}),
	}
	bind(cmd, operationsTable())
	completeCollections(w, cmd, operationsTable())
	return cmd
}

func newWait(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait OPERATION",
		Short: "Wait until an operation has ended, and show how far it has come",
		Long: `Wait follows an operation, from node to node if need be, until it has ended. It fails unless the operation is done: cancelled
or failed ones say why. To stop waiting stops nothing else.`,
		Example: "  ostraka wait 12",
		Args:    exactly("OPERATION"), ValidArgsFunction: completeOperations(w, operationTable()),
		RunE: asks(w, operationTable(), func(a *asking, args []string) error {
			id, err := operationID(args[0])
			if err != nil {
				return err
			}
			return a.wait(id)
		}),
	}
	bind(cmd, operationTable())
	return cmd
}

func newCancel(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cancel OPERATION",
		Short: "End an operation and take back what can be taken back",
		Long: `Cancel ends an operation: a peer that was being drained is in service again, moves under way for its sake are given up, what was
placed by hand is as before. Copies that have moved stay where they are. A collection that was being cut anew returns, by an operation of its
own, to the number of shards that it had. A shard key that was being filled stays Partial, and what it has is deleted.`,
		Example: "  ostraka cancel 12",
		Args:    exactly("OPERATION"), ValidArgsFunction: completeOperations(w, operationTable()),
		RunE: asks(w, operationTable(), func(a *asking, args []string) error {
			id, err := operationID(args[0])
			if err != nil {
				return err
			}
			op, err := a.c.CancelOperation(a.ctx, id)
			if err != nil {
				return err
			}
			return a.showOperation(op)
		}),
	}
	bind(cmd, operationTable())
	return cmd
}

func newRebalance(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rebalance",
		Short: "Even out what the peers hold, also what was placed by hand",
		Long: `Rebalance lets the cluster place again what was placed by hand, and moves replicas and primaries until the peers hold about as much
as each other: also where balancing is off, and to the last replica. It goes on by itself; --wait shows how far it has come.`,
		Example: "  ostraka rebalance --wait",
		Args:    noArgs,
		RunE: asks(w, rebalanceTable(), func(a *asking, _ []string) error {
			op, err := a.c.Rebalance(a.ctx, a.v.String("collection"))
			if err != nil {
				return err
			}
			if op == nil {
				return a.show(nil, func(p *printer) { p.printf("There is nothing to even out.\n") })
			}
			return a.started(op)
		}),
	}
	bind(cmd, rebalanceTable())
	completeCollections(w, cmd, rebalanceTable())
	return cmd
}

func operationID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, usage("operation %q: want its number; see ostraka operations", text)
	}
	return id, nil
}

// named knows the peers' names; without them their ids are shown.
func (a *asking) named() (situation, error) {
	cluster, err := a.c.Cluster(a.ctx)
	return situation{cluster: cluster}, err
}

// started tells of an operation that was begun or joined, and waits for it if that is asked for.
func (a *asking) started(op *client.Operation) error {
	if a.v.Bool("wait") {
		return a.wait(op.ID)
	}
	if a.json {
		return printJSON(a.w.Out, operationJSONOf(*op))
	}
	if err := a.showOperation(*op); err != nil {
		return err
	}
	fmt.Fprintf(a.w.Err, "It goes on by itself: ostraka wait %d, ostraka watch\n", op.ID) //nolint:errcheck // a hint is not worth a failure
	return nil
}

func (a *asking) showOperation(op client.Operation) error {
	s, err := a.named()
	if err != nil {
		return err
	}
	return a.show(operationJSONOf(op), func(p *printer) { s.printOperations(p, []client.Operation{op}, a.w.Now()) })
}

// wait follows an operation to its end.
func (a *asking) wait(id uint64) error {
	s, err := a.named()
	if err != nil {
		return err
	}
	shown := &waiting{w: a.w, s: s, terminal: a.w.Width(a.w.Err) > 0}
	op, err := a.c.WatchOperation(a.ctx, id, func(o client.Operation) error { shown.show(o); return nil })
	shown.end()
	switch {
	case errors.Is(a.ctx.Err(), context.Canceled):
		return fmt.Errorf("stopped waiting: operation %d goes on; ostraka wait %d waits for it again", id, id)
	case err != nil:
		return err
	}
	if err := a.show(operationJSONOf(op), func(p *printer) { s.printOperations(p, []client.Operation{op}, a.w.Now()) }); err != nil {
		return err
	}
	if op.State != client.OperationDone {
		return fmt.Errorf("operation %d is %s: %s", op.ID, op.State, printable(op.Problem))
	}
	return nil
}

// waiting shows how far an operation has come: a bar on a terminal, a line at each change of what is being done elsewhere.
type waiting struct {
	w        World
	s        situation
	terminal bool
	drawn    bool
	last     string
}

func (s *waiting) show(o client.Operation) {
	text := s.s.operationLine(o)
	if text == s.last {
		return
	}
	s.last = text
	if !s.terminal {
		fmt.Fprintln(s.w.Err, text) //nolint:errcheck // progress is not worth a failure
		return
	}
	fmt.Fprintf(s.w.Err, "\r\x1b[K%s%s", barOf(o.Done, o.Total), cutTo(text, s.w.Width(s.w.Err)-barWidth-10)) //nolint:errcheck // as above
	s.drawn = true
}

func (s *waiting) end() {
	if s.drawn {
		fmt.Fprint(s.w.Err, "\r\x1b[K") //nolint:errcheck // as above
	}
}

// barOf draws how much is done; nothing where that is not known.
func barOf(done, total uint64) string {
	if total == 0 {
		return ""
	}
	done = min(done, total)
	filled := int(done * barWidth / total)
	return fmt.Sprintf("[%s%s] %3d%% ", strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled), done*100/total)
}

func cutTo(text string, room int) string {
	runes := []rune(text)
	if room < minColumn || len(runes) <= room {
		return text
	}
	return string(runes[:room-1]) + "…"
}

// operationLine says in one line what an operation is about and what it does.
func (s situation) operationLine(o client.Operation) string {
	return printable(fmt.Sprintf("%d %s %s: %s", o.ID, o.Kind, s.subject(o), doing(o)))
}

// doing says what an operation does, and what keeps it from it.
func doing(o client.Operation) string {
	text := cmp.Or(o.Phase, string(o.State))
	if o.Problem != "" {
		text += ": " + o.Problem
	}
	return text
}

// subject names what an operation is about.
func (s situation) subject(o client.Operation) string {
	var words []string
	if o.Collection != "" {
		words = append(words, keyed(o.Collection, o.ShardKey))
	}
	if o.Peer != 0 {
		words = append(words, s.peerName(o.Peer))
	}
	if o.FromShardKey != nil {
		words = append(words, "from key "+o.FromShardKey.String())
	}
	if o.Kind == "reshard" {
		words = append(words, fmt.Sprintf("%d to %d shards", o.FromShardNumber, o.ToShardNumber))
	}
	if len(words) == 0 {
		return "all"
	}
	return strings.Join(words, ", ")
}

func (s situation) printOperations(p *printer, all []client.Operation, now time.Time) {
	if len(all) == 0 {
		p.printf("No operations.\n")
		return
	}
	var rows [][]cell
	for _, o := range all {
		state := cell{string(o.State), plain}
		switch o.State {
		case client.OperationDone:
			state.colour = green
		case client.OperationFailed:
			state.colour = red
		case client.OperationRunning, client.OperationCancelled:
			state.colour = yellow
		}
		when := ago(now.Sub(o.Started))
		if !o.Ended.IsZero() {
			when = fmt.Sprintf("%s, took %s", when, o.Ended.Sub(o.Started).Round(time.Second))
		}
		about := o.Phase
		if o.Problem != "" {
			about = o.Problem
		}
		rows = append(rows, []cell{{text: fmt.Sprint(o.ID)}, {text: o.Kind}, {text: s.subject(o)}, state,
			{text: fmt.Sprintf("%d of %d", o.Done, o.Total)}, {text: when}, {text: orDash(about)}})
	}
	p.table([]string{"OPERATION", "KIND", "OF", "STATE", "DONE", "BEGAN", "WHAT"}, rows)
}

// operationJSON is an operation in JSON. Its keys are a contract: add, never rename.
type operationJSON struct {
	ID              uint64 `json:"id"`
	Kind            string `json:"kind"`
	State           string `json:"state"`
	Collection      string `json:"collection,omitempty"`
	Peer            uint64 `json:"peer,omitempty"`
	Phase           string `json:"phase"`
	Done            uint64 `json:"done"`
	Total           uint64 `json:"total"`
	BytesDone       uint64 `json:"bytes_done"`
	BytesTotal      uint64 `json:"bytes_total"`
	Started         string `json:"started"`
	Ended           string `json:"ended,omitempty"`
	Problem         string `json:"problem"`
	PointsDone      uint64 `json:"points_done,omitempty"` // of the moves of slots that are under way
	PointsTotal     uint64 `json:"points_total,omitempty"`
	FromShardNumber uint32 `json:"from_shard_number,omitempty"`
	ToShardNumber   uint32 `json:"to_shard_number,omitempty"`
	ShardKey        any    `json:"shard_key,omitempty"` // a word or a number
	FromShardKey    any    `json:"from_shard_key,omitempty"`
}

func operationsJSON(all []client.Operation) []operationJSON {
	out := []operationJSON{}
	for _, o := range all {
		out = append(out, operationJSONOf(o))
	}
	return out
}

func operationJSONOf(o client.Operation) operationJSON {
	out := operationJSON{
		ID: o.ID, Kind: o.Kind, State: string(o.State), Collection: o.Collection, Peer: uint64(o.Peer), Phase: o.Phase, Done: o.Done, Total: o.Total,
		BytesDone: o.BytesDone, BytesTotal: o.BytesTotal, Problem: o.Problem, FromShardNumber: o.FromShardNumber, ToShardNumber: o.ToShardNumber,
		PointsDone: o.PointsDone, PointsTotal: o.PointsTotal,
		Started: o.Started.UTC().Format(time.RFC3339),
	}
	if o.ShardKey != nil {
		out.ShardKey = wordOrNumber(*o.ShardKey)
	}
	if o.FromShardKey != nil {
		out.FromShardKey = wordOrNumber(*o.FromShardKey)
	}
	if !o.Ended.IsZero() {
		out.Ended = o.Ended.UTC().Format(time.RFC3339)
	}
	return out
}
