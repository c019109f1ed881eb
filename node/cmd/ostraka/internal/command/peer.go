package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func peerTable() config.Table { return append(clientTable(), outputSetting()) }

func drainTable() config.Table { return append(peerTable(), waitSetting()) }

func newPeer(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "peer",
		Short: "Look at peers, drain and remove them, put them into maintenance, change zones and labels",
		Long: `Peers are the members of the cluster. What is declared of one, by these commands or by Terraform, is kept whatever the node
does: a drained peer stays empty, also after it was restarted.`,
		Example: `  ostraka peer list
  ostraka peer drain node-3 --wait     # its copies move to others first
  ostraka peer undrain node-3
  ostraka peer remove node-3           # for good
  ostraka peer maintenance node-2      # it leads nothing; while it is away, nothing of it is made anew elsewhere
  ostraka peer label node-1 rack=7 disk-
  ostraka peer zone node-1 eu-west-1a`,
		SuggestionsMinimumDistance: 2,
		Args:                       noArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPeerList(w), newPeerDrain(w), newPeerState(w, "undrain", client.PeerActive), newPeerState(w, "maintenance", client.PeerMaintenance),
		newPeerLabel(w), newPeerZone(w), newPeerRemove(w))
	return cmd
}

func newPeerList(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "Show the peers, what they hold, and the room on their disks", Args: noArgs,
		RunE: asks(w, peerTable(), func(a *asking, _ []string) error {
			cluster, err := a.c.Cluster(a.ctx)
			if err != nil {
				return err
			}
			s := situation{cluster: cluster}
			return a.show(s.json().Cluster.Peers, func(p *printer) { s.printPeers(p, w.Now()) })
		}),
	}
	bind(cmd, peerTable())
	return cmd
}

func newPeerDrain(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain PEER",
		Short: "Move everything that a peer holds to others",
		Long: `Drain lets a peer's primaries be led elsewhere, has each of its copies made on another peer, and drops it there only then.
It goes on by itself, whatever restarts meanwhile; --wait shows how far it has come. To drain a peer that is being drained
joins what runs. Undrain ends it.`,
		Args: exactly("PEER"), ValidArgsFunction: completePeers(w, drainTable()),
		RunE: asks(w, drainTable(), func(a *asking, args []string) error { return a.declareState(args[0], client.PeerDraining) }),
	}
	bind(cmd, drainTable())
	return cmd
}

func newPeerState(w World, verb string, state client.PeerState) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " PEER", Args: exactly("PEER"), ValidArgsFunction: completePeers(w, peerTable()),
		Short: "Let a peer hold replicas again, and end its maintenance",
		RunE:  asks(w, peerTable(), func(a *asking, args []string) error { return a.declareState(args[0], state) }),
	}
	if state == client.PeerMaintenance {
		cmd.Short = "Let a peer lead nothing, and let its copies be, while it is looked after"
		cmd.Long = `In maintenance a peer leads no shard and gets no new copies. While it is away, none of its copies is made anew elsewhere, however
long that takes. Undrain ends it.`
	}
	bind(cmd, peerTable())
	return cmd
}

// declareState changes a peer's state, and waits for the drain if that is asked for.
func (a *asking) declareState(text string, state client.PeerState) error {
	peer, err := a.thePeer(text)
	if err != nil {
		return err
	}
	peer, op, err := a.c.UpdatePeer(a.ctx, peer.ID, client.PeerUpdate{State: &state})
	if err != nil {
		return err
	}
	if op != nil {
		return a.started(op)
	}
	return a.showPeer(peer)
}

func (a *asking) showPeer(peer client.Peer) error {
	s := situation{cluster: &client.Cluster{Peers: []client.Peer{peer}}}
	return a.show(s.json().Cluster.Peers[0], func(p *printer) { s.printPeers(p, a.w.Now()) })
}

func newPeerLabel(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "label PEER [NAME=VALUE | NAME-]...",
		Short: "Set labels of a peer, or remove them",
		Args: func(cmd *cobra.Command, args []string) error {
			return exactly("PEER")(cmd, args[:min(len(args), 1)])
		},
		ValidArgsFunction: completePeers(w, peerTable()),
		RunE: asks(w, peerTable(), func(a *asking, args []string) error {
			peer, err := a.thePeer(args[0])
			if err != nil || len(args) == 1 {
				return orShow(err, func() error { return a.showPeer(peer) })
			}
			labels, err := relabelled(peer.Labels, args[1:])
			if err != nil {
				return err
			}
			peer, _, err = a.c.UpdatePeer(a.ctx, peer.ID, client.PeerUpdate{Labels: labels})
			return orShow(err, func() error { return a.showPeer(peer) })
		}),
	}
	bind(cmd, peerTable())
	return cmd
}

func orShow(err error, show func() error) error {
	if err != nil {
		return err
	}
	return show()
}

// relabelled returns labels with the changes made: NAME=VALUE sets one, NAME- removes it.
func relabelled(labels map[string]string, changes []string) (map[string]string, error) {
	next := maps.Clone(labels)
	if next == nil {
		next = map[string]string{}
	}
	for _, c := range changes {
		name, value, sets := strings.Cut(c, "=")
		switch {
		case sets && name != "":
			next[name] = value
		case !sets && len(c) > 1 && strings.HasSuffix(c, "-"):
			delete(next, strings.TrimSuffix(c, "-"))
		default:
			return nil, usage("label %q: want NAME=VALUE, or NAME- to remove one", c)
		}
	}
	return next, nil
}

func labelsText(labels map[string]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, name+"="+labels[name])
	}
	return strings.Join(words, " ")
}

func newPeerZone(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "zone PEER ZONE",
		Short: "Declare the zone of a peer",
		Long: `Zone declares in which zone a peer stands, whatever its --zone says; copies of a shard are spread over zones, and move if
need be. An empty ZONE ("") gives the peer back the one that the node itself names.`,
		Args: exactly("PEER", "ZONE"), ValidArgsFunction: completePeers(w, peerTable()),
		RunE: asks(w, peerTable(), func(a *asking, args []string) error {
			peer, err := a.thePeer(args[0])
			if err != nil {
				return err
			}
			peer, _, err = a.c.UpdatePeer(a.ctx, peer.ID, client.PeerUpdate{Zone: &args[1]})
			return orShow(err, func() error { return a.showPeer(peer) })
		}),
	}
	bind(cmd, peerTable())
	return cmd
}

// diskText says how much of a disk is free.
func diskText(peer client.Peer) string {
	if peer.DiskTotal == 0 {
		return "-"
	}
	return fmt.Sprintf("%s of %s", size(peer.DiskFree), size(peer.DiskTotal))
}
