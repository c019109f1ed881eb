package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func removeTable() config.Table {
	return append(peerTable(), config.Setting{
		Name: "lose", Kind: config.List, Placeholder: "COLLECTION/SHARD,...",
		Usage: "shards that may lose what too few other copies have; without any other copy they begin anew, empty",
	})
}

func newPeerRemove(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove PEER",
		Short: "Remove a peer for good",
		Long: `Remove ends a peer's membership, whether it is up or not. What it holds of replicated shards is made anew on other peers; a peer
that is up is better drained first, so that at no time there are fewer copies than declared. Its node ends by itself, and does
not come back: to let it join again, as a new peer, empty its data directory.

It is refused while too few of the others would be left to change the metadata, and while without the peer's copy a shard would have
none that serves, or too few to know that nothing acknowledged is missing: it lists them. With --lose the shards named there go on
with what is left, or begin anew, empty.`,
		Example: `  ostraka peer drain node-3 --wait && ostraka peer remove node-3
  ostraka peer remove node-3 --lose words/0,words/3`,
		Args: exactly("PEER"), ValidArgsFunction: completePeers(w, removeTable()),
		RunE: asks(w, removeTable(), func(a *asking, args []string) error { return a.removePeer(args[0], a.v.List("lose")) }),
	}
	bind(cmd, removeTable())
	return cmd
}

type removedJSON struct {
	Peer uint64   `json:"peer"`
	Name string   `json:"name"`
	Lost []string `json:"lost"`
}

func (a *asking) removePeer(text string, lose []string) error {
	peer, err := a.thePeer(text)
	if err != nil {
		return err
	}
	lost, err := a.c.RemovePeer(a.ctx, peer.ID, lose...)
	if err != nil {
		return err
	}
	return a.show(removedJSON{Peer: uint64(peer.ID), Name: peer.Name, Lost: append([]string{}, lost...)}, func(p *printer) {
		p.printf("%s is removed. What it held of other shards is made anew elsewhere: see ostraka status.\n", printable(peer.Name))
		if len(lost) > 0 {
			p.printf("Lost, and begun anew, empty: %s\n", printable(strings.Join(lost, ", ")))
		}
	})
}
