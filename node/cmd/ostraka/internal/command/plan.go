package command

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

// shownSteps is how many steps of a plan are shown unless all are asked for.
const shownSteps = 40

func planTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "collection", Placeholder: "NAME", Usage: "plan a change of this collection, which may be yet to be created"},
		config.Setting{Name: "shard-number", Placeholder: "N", Usage: "as if the collection had so many shards"},
		config.Setting{Name: "shard-key", Placeholder: "KEY", Usage: "plan a change of this shard key of the collection, which may be yet to be created; digits are a number, in quotes they are a word"},
		config.Setting{Name: "placement", Placeholder: "PEER,...", Usage: "as if the shard key could be on these peers only; all: on any"},
		config.Setting{Name: "replication-factor", Placeholder: "N", Usage: "as if the collection had so many copies"},
		config.Setting{Name: "write-consistency-factor", Placeholder: "N", Usage: "as if a write needed so many copies"},
		config.Setting{Name: "custom-sharding", Kind: config.Bool, Default: "false", Usage: "of a collection yet to be created: its shards come with shard keys"},
		config.Setting{Name: "peer", Placeholder: "PEER", Usage: "plan a change of this peer; with --as"},
		config.Setting{Name: "as", Placeholder: "STATE", Usage: "as if the peer were active, draining, in maintenance, or removed"},
		config.Setting{Name: "all", Kind: config.Bool, Default: "false", Usage: "show every step"},
	)
}

func newPlan(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what the cluster is about to do, or would do after a change, and why",
		Long: `Plan shows every step that is left until everything is as declared, in order, with the bytes that will move and about how long
it takes. With --collection or --peer it shows what a change would lead to, and what stands against it. Nothing is changed.

It fails (1) when something in it is an error: the change would be refused, or could not be reached as things stand.`,
		Example: `  ostraka plan
  ostraka plan --collection docs --replication-factor 3
  ostraka plan --collection tenants --shard-key eu --shard-number 2 --placement node-1,node-2
  ostraka plan --peer node-3 --as draining`,
		Args: noArgs,
		RunE: asks(w, planTable(), func(a *asking, _ []string) error { return a.plan() }),
	}
	bind(cmd, planTable())
	completeCollections(w, cmd, planTable())
	completeFlag(cmd, "peer", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return completePeers(w, planTable())(cmd, nil, typed)
	})
	completeFlag(cmd, "placement", completePeerList(w, planTable()))
	return cmd
}

func (a *asking) plan() error {
	s, err := a.named()
	if err != nil {
		return err
	}
	plan, err := a.planned(s)
	if err != nil {
		return err
	}
	if err := a.show(s.planJSON(plan), func(p *printer) { s.printPlan(p, plan, a.v.Bool("all")) }); err != nil {
		return err
	}
	errors := 0
	for _, f := range plan.Findings {
		if f.Severity == client.SeverityError {
			errors++
		}
	}
	if errors > 0 {
		return fmt.Errorf("the plan has %s", countOf(errors, "error", "errors"))
	}
	return nil
}

// planned asks for the plan that the flags say.
func (a *asking) planned(s situation) (*client.Plan, error) {
	collection, peer, as := a.v.String("collection"), a.v.String("peer"), a.v.String("as")
	numbers := [3]*uint32{}
	given := false
	for i, name := range []string{"shard-number", "replication-factor", "write-consistency-factor"} {
		text := a.v.String(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, usage("--%s %q: want a whole number, 0 or more", name, text)
		}
		small := uint32(n)
		numbers[i], given = &small, true
	}
	key, err := shardKeyOf(a.v.String("shard-key"))
	var placement []client.PeerID
	if err == nil {
		placement, err = placementOf(s.cluster, a.v.String("placement"))
	}
	switch {
	case err != nil:
		return nil, err
	case placement != nil && key == nil:
		return nil, usage("--placement is of a shard key: give --shard-key as well")
	case collection != "" && peer != "":
		return nil, usage("--collection and --peer: plan one change at a time")
	case (given || key != nil) && collection == "":
		return nil, usage("--shard-number, --shard-key, --replication-factor and --write-consistency-factor are of a collection: give --collection as well")
	case (peer == "") != (as == ""):
		return nil, usage("--peer and --as: give both or none")
	case collection != "":
		plan, err := a.c.PlanCollection(a.ctx, client.CollectionChange{
			Collection: collection, ShardNumber: numbers[0], ReplicationFactor: numbers[1], WriteConsistencyFactor: numbers[2],
			CustomSharding: a.v.Bool("custom-sharding"),
			ShardKey:       key, Placement: placement,
		})
		if client.IsNotFound(err) {
			err = fmt.Errorf("there is no collection %q; to plan one that is yet to be created give --shard-number, --replication-factor and --write-consistency-factor", collection)
		}
		return plan, err
	case peer != "":
		found, err := findPeer(s.cluster, peer)
		if err != nil {
			return nil, err
		}
		switch as {
		case "removed":
			return a.c.PlanPeer(a.ctx, client.PeerChange{Peer: found.ID, Remove: true})
		case string(client.PeerActive), string(client.PeerDraining), string(client.PeerMaintenance):
			return a.c.PlanPeer(a.ctx, client.PeerChange{Peer: found.ID, State: client.PeerState(as)})
		}
		return nil, usage("--as %q: want active, draining, maintenance or removed", as)
	}
	return a.c.Plan(a.ctx)
}

func (s situation) printPlan(p *printer, plan *client.Plan, all bool) {
	if len(plan.Steps) == 0 {
		p.printf("%s\n", p.paint("Nothing to do.", green))
	} else {
		s.printSteps(p, plan, all)
	}
	if len(plan.Findings) == 0 {
		return
	}
	p.printf("\n")
	colours := map[client.Severity]string{client.SeverityError: red, client.SeverityWarning: yellow}
	for _, f := range plan.Findings {
		field := ""
		if f.Field != "" {
			field = " (" + f.Field + ")"
		}
		p.printf("%s %s%s\n", p.paint(strings.ToUpper(string(f.Severity)), colours[f.Severity]), printable(f.Text), printable(field))
	}
}

func (s situation) printSteps(p *printer, plan *client.Plan, all bool) {
	steps := plan.Steps
	if !all && len(steps) > shownSteps {
		steps = steps[:shownSteps]
	}
	var rows [][]cell
	for _, step := range steps {
		what := orDash(step.Collection)
		if step.Shard != nil {
			what = fmt.Sprintf("%s/%d", step.Collection, *step.Shard)
		}
		bytes := "-"
		if step.Bytes > 0 {
			bytes = size(step.Bytes)
		}
		rows = append(rows, []cell{{text: step.Kind}, {text: what}, {text: s.peerName(step.From)}, {text: s.peerName(step.To)}, {text: bytes}, {text: step.Why}})
	}
	p.table([]string{"STEP", "SHARD", "FROM", "TO", "BYTES", "WHY"}, rows)
	total := len(plan.Steps) + int(plan.LeftOut)
	if left := total - len(steps); left > 0 {
		hint := ""
		if len(steps) < len(plan.Steps) {
			hint = " (--all shows more of them)"
		}
		p.printf("... and %s more%s\n", grouped(uint64(left)), hint)
	}
	p.printf("\n%s, %s to move", countOf(total, "step", "steps"), size(plan.Bytes))
	if plan.Duration > 0 {
		p.printf(", about %s", plan.Duration)
	}
	p.printf("\n")
}

type planJSON struct {
	Steps    []stepJSON    `json:"steps"`
	LeftOut  uint32        `json:"steps_left_out"`
	Bytes    uint64        `json:"bytes"`
	Seconds  uint64        `json:"seconds"`
	Paused   bool          `json:"paused"`
	Findings []findingJSON `json:"findings"`
}

type stepJSON struct {
	Kind       string  `json:"kind"`
	Collection string  `json:"collection,omitempty"`
	Shard      *uint32 `json:"shard,omitempty"`
	From       uint64  `json:"from_peer,omitempty"`
	To         uint64  `json:"to_peer,omitempty"`
	Bytes      uint64  `json:"bytes"`
	Why        string  `json:"why"`
}

type findingJSON struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Text     string `json:"text"`
	Field    string `json:"field,omitempty"`
}

func (s situation) planJSON(plan *client.Plan) planJSON {
	out := planJSON{
		Steps: []stepJSON{}, Findings: []findingJSON{}, LeftOut: plan.LeftOut, Bytes: plan.Bytes, Seconds: uint64(plan.Duration.Seconds()), Paused: plan.Paused,
	}
	for _, step := range plan.Steps {
		out.Steps = append(out.Steps, stepJSON{Kind: step.Kind, Collection: step.Collection, Shard: step.Shard, From: uint64(step.From),
			To: uint64(step.To), Bytes: step.Bytes, Why: step.Why})
	}
	for _, f := range plan.Findings {
		out.Findings = append(out.Findings, findingJSON{Severity: string(f.Severity), Code: f.Code, Text: f.Text, Field: f.Field})
	}
	return out
}
