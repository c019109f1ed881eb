package command

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func reshardTable() config.Table {
	return append(clientTable(), outputSetting(), waitSetting(),
		config.Setting{Name: "shards", Kind: config.Int, Placeholder: "N", Default: "0", Usage: "into how many shards the collection is to be cut"},
		config.Setting{Name: "shard-key", Placeholder: "KEY", Usage: "cut the shards of this shard key; digits are a number, in quotes they are a word"},
	)
}

func newReshard(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reshard COLLECTION",
		Short: "Cut a collection into another number of shards, while it serves",
		Long: `Reshard declares into how many shards a collection is cut. Points move until they lie so, the fewest that have to, while reads and
writes go on; a node that fails meanwhile holds it up and ends nothing. It goes on by itself; --wait shows how far it has come.

The shards of a shard key (--shard-key) are cut by themselves; a collection that has keys is cut in no other way.

The number that is declared already joins what runs. Another number turns it round, as ostraka cancel does. What Terraform declares of
the collection it will set back: change it there. ostraka plan --collection COLLECTION --shard-number N shows beforehand what would move.`,
		Example: "  ostraka reshard docs --shards 8 --wait\n  ostraka reshard tenants --shard-key eu --shards 4",
		Args:    exactly("COLLECTION"), ValidArgsFunction: completeCollection(w, reshardTable()),
		RunE: asks(w, reshardTable(), func(a *asking, args []string) error {
			shards := a.v.Int("shards")
			if shards < 1 || shards > math.MaxUint32 {
				return usage("--shards: want the number of shards that there are to be, 1 at least")
			}
			key, err := shardKeyOf(a.v.String("shard-key"))
			if err != nil {
				return err
			}
			op, err := a.c.Reshard(a.ctx, args[0], uint32(shards), key)
			if err != nil {
				return err
			}
			if op == nil {
				return a.show(nil, func(p *printer) {
					p.printf("There is nothing to do: %s is cut into %s.\n", printable(keyed(args[0], key)), countOf(shards, "shard", "shards"))
				})
			}
			return a.started(op)
		}),
	}
	bind(cmd, reshardTable())
	return cmd
}

// shardKeyOf reads a shard key: digits are a number, in quotes they are a word, nothing is no key.
func shardKeyOf(text string) (*client.ShardKey, error) {
	if text == "" {
		return nil, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return &client.ShardKey{Number: n}, nil
	}
	word := text
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' {
		word = text[1 : len(text)-1]
	}
	if word == "" {
		return nil, usage("--shard-key: a word cannot be empty")
	}
	return &client.ShardKey{Keyword: word}, nil
}

// wordOrNumber is a shard key in JSON.
func wordOrNumber(k client.ShardKey) any {
	if k.Keyword != "" {
		return k.Keyword
	}
	return k.Number
}

// keyed names a collection, or a shard key of it.
func keyed(collection string, key *client.ShardKey) string {
	if key == nil {
		return collection
	}
	return collection + ", key " + key.String()
}

// completeCollection offers the names of the collections for the first argument.
func completeCollection(w World, table config.Table) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		names, err := collectionNames(w, cmd, table)
		if err != nil {
			cobra.CompErrorln(fmt.Sprint(err)) // shown only where completion is debugged
		}
		var out []string
		for _, name := range names {
			if len(args) == 0 && strings.HasPrefix(name, typed) {
				out = append(out, name)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
