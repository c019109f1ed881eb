package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func createKeyTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "shards", Kind: config.Int, Placeholder: "N", Default: "0", Usage: "how many shards the key is to have (default: the collection's shard_number)"},
		config.Setting{Name: "replication-factor", Kind: config.Int, Placeholder: "N", Default: "0", Usage: "how many copies its shards are to have (default: the collection's)"},
		config.Setting{Name: "placement", Placeholder: "PEER,...", Usage: "the peers that the key may be on (default: any)"},
		config.Setting{Name: "partial", Kind: config.Bool, Default: "false", Usage: "it takes neither reads nor writes before ostraka shard-key fill has filled it"},
	)
}

func fillKeyTable() config.Table {
	return append(clientTable(), outputSetting(), waitSetting(),
		config.Setting{Name: "from", Placeholder: "KEY", Usage: "the shard key that points are copied from; digits are a number, in quotes they are a word"},
		config.Setting{Name: "where", Kind: config.Lines, Placeholder: "KEY=VALUE", Usage: "the points whose payload says so; may be given again: all must match"},
		config.Setting{Name: "all", Kind: config.Bool, Default: "false", Usage: "all points of that key"},
	)
}

func listKeysTable() config.Table { return append(clientTable(), outputSetting()) }

func newShardKeyList(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list COLLECTION",
		Short:   "Show the shard keys of a collection",
		Example: "  ostraka shard-key list tenants",
		Args:    exactly("COLLECTION"), ValidArgsFunction: completeCollection(w, listKeysTable()),
		RunE: asks(w, listKeysTable(), func(a *asking, args []string) error { return a.listShardKeys(args[0]) }),
	}
	bind(cmd, listKeysTable())
	return cmd
}

func newShardKeyCreate(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create COLLECTION KEY",
		Short: "Make a shard key",
		Long: `Create makes a shard key of a collection with custom sharding. Digits are a number as a key, in quotes they are a word.

With --partial the key is to be filled from another one, by ostraka shard-key fill: until it is, reads and writes that name it need the other key as
their fallback, which they are for. So a tenant that has outgrown the key which it shares with others gets one of its own while it is served.`,
		Example: "  ostraka shard-key create tenants eu --shards 2\n  ostraka shard-key create tenants acme --partial",
		Args:    exactly("COLLECTION", "KEY"), ValidArgsFunction: completeCollection(w, createKeyTable()),
		RunE: asks(w, createKeyTable(), func(a *asking, args []string) error { return a.createShardKey(args[0], args[1]) }),
	}
	bind(cmd, createKeyTable())
	completeFlag(cmd, "placement", completePeerList(w, createKeyTable()))
	return cmd
}

func newShardKeyFill(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fill COLLECTION KEY --from KEY (--where KEY=VALUE | --all)",
		Short: "Copy points of one shard key into another, while both are asked for",
		Long: `Fill copies the points of one shard key that match into another, which has to be Partial (ostraka shard-key create --partial). Reads and
writes that name the new key, with the other as their fallback, are for the other until all is copied, and for the new one from then on: what was
written before is there. The other key keeps its points: delete the tenant's there afterwards.

It goes on by itself; --wait shows how far it has come. Cancelled (ostraka cancel), it leaves the key Partial, and what was copied is deleted.`,
		Example: "  ostraka shard-key fill tenants acme --from shared --where tenant=acme --wait",
		Args:    exactly("COLLECTION", "KEY"), ValidArgsFunction: completeShardKey(w, fillKeyTable()),
		RunE: asks(w, fillKeyTable(), func(a *asking, args []string) error { return a.fillShardKey(args[0], args[1]) }),
	}
	bind(cmd, fillKeyTable())
	return cmd
}

func (a *asking) createShardKey(collection, word string) error {
	key, err := shardKeyOf(word)
	if err != nil {
		return err
	}
	shards, replicas := a.v.Int("shards"), a.v.Int("replication-factor")
	switch {
	case key == nil:
		return usage("shard-key create: name the key")
	case max(shards, replicas) > maxNumber:
		return usage("--shards and --replication-factor: at most %d", maxNumber)
	}
	spec := client.ShardKeySpec{Key: *key, ShardNumber: uint32(shards), ReplicationFactor: uint32(replicas), Partial: a.v.Bool("partial")}
	if text := a.v.String("placement"); text != "" {
		cluster, err := a.c.Cluster(a.ctx)
		if err != nil {
			return err
		}
		if spec.Placement, err = placementOf(cluster, text); err != nil {
			return err
		}
	}
	if err := a.c.CreateShardKey(a.ctx, collection, spec); err != nil {
		return err
	}
	how := "serves"
	if spec.Partial {
		how = "is to be filled: ostraka shard-key fill"
	}
	s, of, err := a.keysOf(collection)
	if err != nil {
		return fmt.Errorf("%s was made, but cannot be shown: %w", printable(keyed(collection, key)), err)
	}
	made, _ := of.key(*key)
	return a.show(shardKeyJSONOf(s, collection, made), func(p *printer) { p.printf("%s was made, and %s.\n", printable(keyed(collection, key)), how) })
}

// maxNumber is more than any number of shards or copies can be.
const maxNumber = 1 << 20

func (a *asking) fillShardKey(collection, word string) error {
	to, err := shardKeyOf(word)
	if err != nil {
		return err
	}
	from, err := shardKeyOf(a.v.String("from"))
	if err != nil {
		return err
	}
	where, all := a.v.List("where"), a.v.Bool("all")
	switch {
	case to == nil || from == nil:
		return usage("shard-key fill: name the key, and with --from the one that it is filled from")
	case all == (len(where) > 0):
		return usage("shard-key fill: say which points are copied: --where KEY=VALUE, or --all")
	}
	var filter *client.Filter
	if !all {
		if filter, err = whereFilter(where); err != nil {
			return err
		}
	}
	op, err := a.c.FillShardKey(a.ctx, collection, *to, *from, filter)
	if err != nil {
		return err
	}
	if op == nil {
		return a.show(nil, func(p *printer) { p.printf("It has begun; ostraka operations does not know it any more.\n") })
	}
	return a.started(op)
}

func (a *asking) listShardKeys(collection string) error {
	s, of, err := a.keysOf(collection)
	if err != nil {
		return err
	}
	out := []shardKeyJSON{}
	for _, k := range of.ShardKeys {
		out = append(out, shardKeyJSONOf(s, collection, k))
	}
	return a.show(out, func(p *printer) {
		if len(out) == 0 {
			p.printf("%s has no shard keys.\n", printable(collection))
			return
		}
		var rows [][]cell
		for i := range out {
			k := &out[i]
			state := cell{"serves", green}
			if k.Partial {
				state = cell{"partial", yellow}
			}
			rows = append(rows, []cell{{text: k.name}, state, {text: strconv.Itoa(int(k.Shards))}, {text: strconv.Itoa(int(k.Replicas))}, {text: k.on()}})
		}
		p.table([]string{"KEY", "STATE", "SHARDS", "COPIES", "ON"}, rows)
	})
}

// keysOf looks for a collection and what there is of its keys.
func (a *asking) keysOf(collection string) (situation, keyPlacement, error) {
	s, err := a.named()
	if err != nil {
		return s, keyPlacement{}, err
	}
	found, err := a.c.Placement(a.ctx, collection)
	switch {
	case client.IsNotFound(err), err == nil && len(found) == 0:
		return s, keyPlacement{}, fmt.Errorf("there is no collection %s", collection)
	case err != nil:
		return s, keyPlacement{}, err
	}
	return s, keyPlacement(found[0]), nil
}

// keyPlacement is where a collection with shard keys is.
type keyPlacement client.CollectionPlacement

// key finds one of the keys.
func (p keyPlacement) key(k client.ShardKey) (client.ShardKeyPlacement, bool) {
	at := slices.IndexFunc(p.ShardKeys, func(one client.ShardKeyPlacement) bool { return one.Key == k })
	if at < 0 {
		return client.ShardKeyPlacement{Key: k}, false
	}
	return p.ShardKeys[at], true
}

type shardKeyJSON struct {
	Collection string   `json:"collection"`
	Key        any      `json:"key"`
	Shards     uint32   `json:"shards"`
	Replicas   uint32   `json:"replication_factor"`
	Placement  []string `json:"placement"`         // none: any peer
	Partial    bool     `json:"partial,omitempty"` // it is to be filled
	name       string
}

func shardKeyJSONOf(s situation, collection string, k client.ShardKeyPlacement) shardKeyJSON {
	out := shardKeyJSON{
		Collection: collection, Key: wordOrNumber(k.Key), Shards: k.TargetShardNumber, Replicas: k.ReplicationFactor, Placement: []string{},
		Partial: k.Partial, name: typedAs(k.Key),
	}
	for _, id := range k.Placement {
		out.Placement = append(out.Placement, s.peerName(id))
	}
	return out
}

// on says which peers a key may be on.
func (k *shardKeyJSON) on() string {
	if len(k.Placement) == 0 {
		return "any peer"
	}
	return strings.Join(k.Placement, ", ")
}
