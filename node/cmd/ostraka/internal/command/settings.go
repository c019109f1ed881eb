package command

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

func settingsTable() config.Table {
	return append(clientTable(), outputSetting(),
		config.Setting{Name: "replica-replace-after", Placeholder: "DURATION", Usage: "make the copies of a peer anew elsewhere when it has been away for so long, such as 10m; 0: never"},
		config.Setting{Name: "transfers-per-peer", Placeholder: "N", Usage: "copies that a peer receives, and gives, at once"},
		config.Setting{Name: "transfers-per-cluster", Placeholder: "N", Usage: "copies under way at once in the whole cluster"},
		config.Setting{Name: "transfer-rate", Placeholder: "MIB", Usage: "MiB a second that a peer receives, and gives, for copies"},
		config.Setting{Name: "balance", Placeholder: "on|off", Usage: "whether replicas and primaries move to even out what the peers hold"},
	)
}

func newSettings(w World) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "settings",
		Short:   "Show how the cluster keeps what is declared, or change it",
		Long:    "Settings shows how the cluster keeps what is declared. What is given as a flag is changed, at once and for all nodes.",
		Example: "  ostraka settings\n  ostraka settings --replica-replace-after 30m --transfers-per-peer 4",
		Args:    noArgs,
		RunE: asks(w, settingsTable(), func(a *asking, _ []string) error {
			change, given, err := settingsGiven(a.v)
			if err != nil {
				return err
			}
			now := client.Settings{}
			if given {
				now, err = a.c.UpdateSettings(a.ctx, change)
			} else {
				now, err = a.c.Settings(a.ctx)
			}
			if err != nil {
				return err
			}
			return a.show(settingsJSONOf(now), func(p *printer) { printSettings(p, now) })
		}),
	}
	bind(cmd, settingsTable())
	return cmd
}

func newPause(w World, paused bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: "pause", Args: noArgs, Short: "Let nothing but failover happen, until resume",
		Long: `Pause stops everything that moves, makes or drops copies, at once and for all nodes. Primaries of nodes that die are replaced, and
copies that are being filled go on. Resume ends it.`,
		Example: "  ostraka pause",
		RunE: asks(w, operationTable(), func(a *asking, _ []string) error {
			now, err := a.c.UpdateSettings(a.ctx, client.Settings{Paused: &paused})
			if err != nil {
				return err
			}
			return a.show(settingsJSONOf(now), func(p *printer) {
				if paused {
					p.printf("Paused: nothing but failover is done until ostraka resume.\n")
				} else {
					p.printf("The cluster goes on.\n")
				}
			})
		}),
	}
	if !paused {
		cmd.Use, cmd.Short, cmd.Long, cmd.Example = "resume", "Let the cluster go on after a pause", "", "  ostraka resume"
	}
	bind(cmd, operationTable())
	return cmd
}

// settingsGiven reads the settings that were given.
func settingsGiven(v config.Values) (s client.Settings, given bool, err error) {
	if text := v.String("replica-replace-after"); text != "" {
		d, err := duration(text)
		if err != nil {
			return s, false, err
		}
		s.ReplicaReplaceAfter, given = &d, true
	}
	for name, field := range map[string]**uint32{"transfers-per-peer": &s.TransfersPerPeer, "transfers-per-cluster": &s.TransfersPerCluster} {
		if text := v.String(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return s, false, usage("--%s %q: want a number", name, text)
			}
			small := uint32(n)
			*field, given = &small, true
		}
	}
	if text := v.String("transfer-rate"); text != "" {
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return s, false, usage("--transfer-rate %q: want a number of MiB a second", text)
		}
		bytes := n << 20
		s.TransferBytesPerSecond, given = &bytes, true
	}
	switch text := v.String("balance"); text {
	case "":
	case "on", "off":
		on := text == "on"
		s.Balance, given = &on, true
	default:
		return s, false, usage("--balance %q: want on or off", text)
	}
	return s, given, nil
}

// duration reads a duration in whole seconds; a plain 0 is one.
func duration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d%time.Second != 0 {
		return 0, usage("--replica-replace-after %q: want a duration in whole seconds, such as 10m, or 0 for never", text)
	}
	return d, nil
}

type settingsJSON struct {
	ReplicaReplaceAfterSeconds uint64 `json:"replica_replace_after_seconds"`
	Paused                     bool   `json:"paused"`
	TransfersPerPeer           uint32 `json:"transfers_per_peer"`
	TransfersPerCluster        uint32 `json:"transfers_per_cluster"`
	TransferBytesPerSecond     uint64 `json:"transfer_bytes_per_second"`
	Balance                    bool   `json:"balance"`
}

func settingsJSONOf(s client.Settings) settingsJSON {
	return settingsJSON{
		ReplicaReplaceAfterSeconds: uint64(valueOf(s.ReplicaReplaceAfter).Seconds()), Paused: valueOf(s.Paused), TransfersPerPeer: valueOf(s.TransfersPerPeer),
		TransfersPerCluster: valueOf(s.TransfersPerCluster), TransferBytesPerSecond: valueOf(s.TransferBytesPerSecond), Balance: valueOf(s.Balance),
	}
}

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func printSettings(p *printer, s client.Settings) {
	after := valueOf(s.ReplicaReplaceAfter).String()
	if valueOf(s.ReplicaReplaceAfter) == 0 {
		after = "never"
	}
	onOff := map[bool]string{true: "on", false: "off"}
	paused := cell{"no", plain}
	if valueOf(s.Paused) {
		paused = cell{"yes: nothing but failover is done", yellow}
	}
	p.table([]string{"SETTING", "VALUE"}, [][]cell{
		{{text: "replica-replace-after"}, {text: after}},
		{{text: "transfers-per-peer"}, {text: fmt.Sprint(valueOf(s.TransfersPerPeer))}},
		{{text: "transfers-per-cluster"}, {text: fmt.Sprint(valueOf(s.TransfersPerCluster))}},
		{{text: "transfer-rate"}, {text: size(valueOf(s.TransferBytesPerSecond)) + " a second"}},
		{{text: "balance"}, {text: onOff[valueOf(s.Balance)]}},
		{{text: "paused"}, paused},
	})
}
