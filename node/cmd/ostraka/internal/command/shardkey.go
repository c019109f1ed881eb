package command

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

// theCollections is what a key is told to follow instead of a number of its own.
const theCollections = "collection"

func shardKeyTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "replication-factor", Placeholder: "N", Usage: "how many copies the key's shards are to have; " + theCollections + ": as many as the collection's, also when that changes"},
		config.Setting{Name: "placement", Placeholder: "PEER,...", Usage: "the peers that the key may be on; all: any"},
	)
}

func newShardKey(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shard-key",
		Short: "Make, change and delete shard keys, and fill one from another",
		Long: `Shard keys divide a collection with custom sharding: each has shards of its own, a write says to which key its points go, and a read
which keys it asks.`,
		SuggestionsMinimumDistance: 2,
		Args:                       noArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newShardKeyList(w), newShardKeyCreate(w), newShardKeyFill(w), newShardKeyUpdate(w), newShardKeyDelete(w))
	return cmd
}

func newShardKeyUpdate(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update COLLECTION KEY",
		Short: "Change how many copies a shard key has, and which peers they may be on, while it serves",
		Long: `Update changes what is declared of a shard key; what is not named stays as it is. Copies are made, move and go while reads and writes go on, by
the cluster's limits; ostraka status and ostraka watch show how far they are. Digits are a number as a key, in quotes they are a word.

What Terraform declares of the key it will set back: change it there. ostraka plan --collection COLLECTION --shard-key KEY with the same flags shows
beforehand what would move. Its shards are cut anew by ostraka reshard.`,
		Example: "  ostraka shard-key update tenants eu --replication-factor 3\n  ostraka shard-key update tenants 7 --placement node-1,node-2\n" +
			"  ostraka shard-key update tenants eu --replication-factor collection --placement all",
		Args: exactly("COLLECTION", "KEY"), ValidArgsFunction: completeShardKey(w, shardKeyTable()),
		RunE: asks(w, shardKeyTable(), func(a *asking, args []string) error { return a.updateShardKey(args[0], args[1]) }),
	}
	bind(cmd, shardKeyTable())
	completeFlag(cmd, "placement", completePeerList(w, shardKeyTable()))
	completeFlag(cmd, "replication-factor", cobra.FixedCompletions([]string{theCollections}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *asking) updateShardKey(collection, word string) error {
	key, err := shardKeyOf(word)
	if err != nil {
		return err
	}
	update := client.ShardKeyUpdate{}
	switch text := a.v.String("replication-factor"); text {
	case "":
	case theCollections:
		update.ReplicationFactor = new(uint32)
	default:
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil || n == 0 {
			return usage("--replication-factor %q: want a number of copies, 1 at least, or %s", text, theCollections)
		}
		update.ReplicationFactor = new(uint32(n))
	}
	places := a.v.String("placement")
	if key == nil || update.ReplicationFactor == nil && places == "" {
		return usage("shard-key update: name the key, and what is to change of it: --replication-factor or --placement")
	}
	cluster, err := a.c.Cluster(a.ctx)
	if err != nil {
		return err
	}
	if update.Placement, err = placementOf(cluster, places); err != nil {
		return err
	}
	now, err := a.c.UpdateShardKey(a.ctx, collection, *key, update)
	if err != nil {
		return err
	}
	out := shardKeyJSONOf(situation{cluster: cluster}, collection, *now)
	out.Key = wordOrNumber(*key)
	return a.show(out, func(p *printer) {
		p.printf("%s: %s of %s, on %s.\n", printable(keyed(collection, key)), countOf(int(out.Shards), "shard", "shards"),
			countOf(int(out.Replicas), "copy", "copies"), printable(out.on()))
	})
}

// completeShardKey offers the names of the collections, then the keys of the one that was named.
func completeShardKey(w World, table config.Table) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return completeCollection(w, table)(cmd, args, typed)
		}
		var out []string
		err := completing(w, cmd, table, func(ctx context.Context, c *client.Client) error {
			keys, err := c.ListShardKeys(ctx, args[0])
			for _, key := range keys {
				if word := typedAs(key); strings.HasPrefix(word, typed) {
					out = append(out, word)
				}
			}
			return err
		})
		if err != nil {
			cobra.CompErrorln(err.Error()) // shown only where completion is debugged
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// typedAs is how a key is given on the command line: a word that is all digits, or in quotes, stands in quotes.
func typedAs(key client.ShardKey) string {
	word := key.String()
	if read, err := shardKeyOf(word); key.Keyword != "" && (err != nil || read == nil || *read != key) {
		return `"` + word + `"`
	}
	return word
}
