package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func verifyTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "read-rate", Kind: config.Int, Placeholder: "MIB", Default: "0", Usage: "read at most so many MiB a second of each replica; 0: as fast as it can"})
}

func newVerify(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [COLLECTION]",
		Short: "Compare the replicas of every shard, all at the same place of its log",
		Long: `Verify has every replica sum up what it holds, each shard at one place of its log, and compares the sums. Writes go on
meanwhile. Without a COLLECTION it compares those of all.

A replica that differs is not read any more, and is filled anew from the others: from the majority, or, where there is
none, from the primary. The exit code is 1 then. Every node also compares what it leads by itself, slowly, once a day.`,
		Example: `  ostraka verify
  ostraka verify words --read-rate 20
  ostraka verify -o json | jq '.shards[] | select(.equal | not)'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("verify takes one collection, or none for all: %q is too much; see ostraka verify --help", args[1])
			}
			return nil
		},
		ValidArgsFunction: completeCollection(w, verifyTable()),
		RunE:              func(cmd *cobra.Command, args []string) error { return verify(w, cmd, args) },
	}
	bind(cmd, verifyTable())
	return cmd
}

func verify(w World, cmd *cobra.Command, args []string) error {
	v, output, c, err := begin(w, cmd, verifyTable())
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // nothing is in flight
	found, err := gatherVerdicts(cmd.Context(), w, c, client.VerifyOptions{Collections: args, BytesPerSecond: uint64(v.Int("read-rate")) << 20})
	if err != nil {
		return err
	}
	if err := found.show(w, output); err != nil {
		return err
	}
	if found.different > 0 {
		return fmt.Errorf("%s replicas that differ: they are not read any more and are being filled anew; see ostraka status and ostraka events",
			countOf(found.different, "shard has", "shards have"))
	}
	return nil
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// verdicts is what a verification found.
type verdicts struct {
	situation             situation // for the peers' names
	shards                []*client.ShardVerdict
	different, uncompared int
}

func gatherVerdicts(ctx context.Context, w World, c *client.Client, o client.VerifyOptions) (*verdicts, error) {
	cluster, err := c.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	found := &verdicts{situation: situation{cluster: cluster}}
	terminal := w.Width(w.Err) > 0
	err = c.Verify(ctx, o, func(done, total uint32, s *client.ShardVerdict) error {
		if s != nil {
			found.add(s)
		}
		if terminal {
			fmt.Fprintf(w.Err, "\r\x1b[K%d of %d shards", done, total) //nolint:errcheck // progress is not worth a failure
		}
		return nil
	})
	if terminal {
		fmt.Fprint(w.Err, "\r\x1b[K") //nolint:errcheck // as above
	}
	return found, err
}

func (f *verdicts) add(s *client.ShardVerdict) {
	f.shards = append(f.shards, s)
	switch {
	case s.Differs():
		f.different++
	case !s.Compared:
		f.uncompared++
	}
}

func (f *verdicts) show(w World, output string) error {
	if output == "json" {
		return printJSON(w.Out, f.json())
	}
	p := newPrinter(w)
	f.print(p)
	return p.err
}

func (f *verdicts) print(p *printer) {
	if len(f.shards) == 0 {
		p.printf("Nothing to compare: there are no shards.\n")
		return
	}
	var rows [][]cell
	for _, s := range f.shards {
		result := cell{"equal", green}
		switch {
		case s.Differs():
			result = cell{"DIFFERENT", red}
		case !s.Compared:
			result = cell{"not compared", yellow}
		case !s.Equal:
			result = cell{"equal so far", yellow}
		}
		rows = append(rows, []cell{{text: s.Collection}, {text: fmt.Sprint(s.Shard)}, {text: grouped(s.Index)}, result, {text: f.replicas(s)}})
	}
	p.table([]string{"COLLECTION", "SHARD", "INDEX", "RESULT", "REPLICAS"}, rows)
	for _, s := range f.shards {
		if s.Problem != "" {
			p.printf("\nshard %d of %s: %s\n", s.Shard, printable(s.Collection), printable(s.Problem))
		}
	}
	p.printf("\n%s: %d equal, %d different, %d not compared\n", countOf(len(f.shards), "shard", "shards"),
		len(f.shards)-f.different-f.uncompared, f.different, f.uncompared)
}

// replicas lists the replicas of a shard with what they gave; * marks the primary.
func (f *verdicts) replicas(s *client.ShardVerdict) string {
	var parts []string
	for _, r := range s.Replicas {
		text := f.situation.peerName(r.Peer)
		if r.Primary {
			text += "*"
		}
		switch {
		case r.Problem != "" && r.Differs:
			text += " damaged"
		case r.Problem != "":
			text += " silent"
		default:
			text += fmt.Sprintf(" %016x", r.Digest)
		}
		if r.Differs {
			text += "!"
		}
		parts = append(parts, text)
	}
	return orDash(strings.Join(parts, ", "))
}

type verdictsJSON struct {
	Different   int           `json:"different"`
	NotCompared int           `json:"not_compared"`
	Shards      []verdictJSON `json:"shards"`
}

type verdictJSON struct {
	Collection string       `json:"collection"`
	Shard      uint32       `json:"shard"`
	Compared   bool         `json:"compared"`
	Equal      bool         `json:"equal"`
	Index      uint64       `json:"index"`
	Problem    string       `json:"problem"`
	Replicas   []digestJSON `json:"replicas"`
}

type digestJSON struct {
	Peer       uint64 `json:"peer"`
	Name       string `json:"name"`
	Generation uint64 `json:"generation"`
	Primary    bool   `json:"primary"`
	Index      uint64 `json:"index"`
	Digest     string `json:"digest"` // hexadecimal: numbers of 64 bits do not survive JSON
	Points     uint64 `json:"points"`
	Differs    bool   `json:"differs"`
	Problem    string `json:"problem"`
}

func (f *verdicts) json() verdictsJSON {
	out := verdictsJSON{Different: f.different, NotCompared: f.uncompared, Shards: []verdictJSON{}}
	for _, s := range f.shards {
		v := verdictJSON{Collection: s.Collection, Shard: s.Shard, Compared: s.Compared, Equal: s.Equal, Index: s.Index, Problem: s.Problem, Replicas: []digestJSON{}}
		for _, r := range s.Replicas {
			v.Replicas = append(v.Replicas, digestJSON{Peer: uint64(r.Peer), Name: f.situation.peerName(r.Peer), Generation: r.Generation, Primary: r.Primary,
				Index: r.Index, Digest: fmt.Sprintf("%016x", r.Digest), Points: r.Points, Differs: r.Differs, Problem: r.Problem})
		}
		out.Shards = append(out.Shards, v)
	}
	return out
}
