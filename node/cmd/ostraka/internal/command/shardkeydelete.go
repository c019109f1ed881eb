package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func deleteKeyTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "with-points", Kind: config.Bool, Default: "false", Usage: "also when it holds points"},
	)
}

func newShardKeyDelete(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete COLLECTION KEY",
		Short: "Delete a shard key, and with it its points",
		Long: `Delete ends a shard key, its shards and all of their copies. It is refused while the key holds points, or a shard of it does not say what
it holds, unless --with-points says that they may go: nothing brings them back. Digits are a number as a key, in quotes they are a word.

What Terraform declares of the key it will make again, empty: remove it there.`,
		Example: "  ostraka shard-key delete tenants eu\n  ostraka shard-key delete tenants 7 --with-points",
		Args:    exactly("COLLECTION", "KEY"), ValidArgsFunction: completeShardKey(w, deleteKeyTable()),
		RunE: asks(w, deleteKeyTable(), func(a *asking, args []string) error { return a.deleteShardKey(args[0], args[1]) }),
	}
	bind(cmd, deleteKeyTable())
	return cmd
}

type deletedKeyJSON struct {
	Collection string `json:"collection"`
	Key        any    `json:"key"`
	Points     uint64 `json:"points"` // that it held
}

func (a *asking) deleteShardKey(collection, word string) error {
	key, err := shardKeyOf(word)
	if err != nil {
		return err
	}
	if key == nil {
		return usage("shard-key delete: name the key")
	}
	_, of, err := a.keysOf(collection)
	if err != nil {
		return err
	}
	points, sure := of.holds(*key)
	if _, there := of.key(*key); there && !a.v.Bool("with-points") {
		switch {
		case points > 0:
			return fmt.Errorf("%s holds %s: give --with-points to delete them with it", printable(keyed(collection, key)), countOf(int(points), "point", "points"))
		case !sure:
			return fmt.Errorf("it is not known what %s holds, since not all of its shards answer: give --with-points to delete it nevertheless", printable(keyed(collection, key)))
		}
	}
	if err := a.c.DeleteShardKey(a.ctx, collection, *key); err != nil {
		return err
	}
	return a.show(deletedKeyJSON{Collection: collection, Key: wordOrNumber(*key), Points: points}, func(p *printer) {
		p.printf("%s is deleted.\n", printable(keyed(collection, key)))
	})
}

// holds tells how many points a key has, and whether all of its primaries said so.
func (p keyPlacement) holds(key client.ShardKey) (points uint64, sure bool) {
	sure = true
	for _, shard := range p.Shards {
		if shard.Key == nil || *shard.Key != key {
			continue
		}
		points += shardPoints(shard)
		answered := false
		for _, r := range shard.Replicas {
			answered = answered || r.Peer == shard.Primary && r.Alive
		}
		sure = sure && answered
	}
	return points, sure
}
