package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
)

// rawFlag keeps what was typed: package config reads all sources alike.
type rawFlag struct {
	setting config.Setting
	text    string
	pieces  []string // as given, one a flag
}

// String returns what was typed, or the default.
func (f *rawFlag) String() string { return f.text }

// Type is what --help shows behind the flag.
func (f *rawFlag) Type() string { return f.setting.Placeholder }

// Set takes what was typed. A list may be given piece by piece; the same piece again changes nothing, because cobra parses
// a command line twice when it completes one.
func (f *rawFlag) Set(text string) error {
	separator := map[config.Kind]string{config.List: ",", config.Lines: "\n"}[f.setting.Kind]
	if separator == "" {
		f.text = text
		return nil
	}
	if !slices.Contains(f.pieces, text) {
		f.pieces = append(f.pieces, text)
	}
	f.text = strings.Join(f.pieces, separator)
	return nil
}

// bind gives cmd a flag for every setting.
func bind(cmd *cobra.Command, table config.Table) {
	for _, s := range table {
		short := ""
		if s.Name == "output" {
			short = "o"
		}
		flag := cmd.Flags().VarPF(&rawFlag{setting: s, text: s.Default}, s.Name, short, s.Usage)
		if s.Kind == config.Bool {
			flag.NoOptDefVal = "true"
		}
		if words := wordsOf(s.Name); len(words) > 0 {
			if err := cmd.RegisterFlagCompletionFunc(s.Name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
				panic(fmt.Sprintf("complete --%s: %v", s.Name, err)) // only when the flag does not exist
			}
		}
	}
}

// wordsOf are the words that a setting may be, for completion; none if it may be anything.
func wordsOf(name string) []string {
	switch name {
	case "output":
		return []string{"table", "json"}
	case "log-format":
		return []string{"text", "json"}
	case "log-level":
		return []string{"trace", "debug", "info", "warn", "error"}
	case "balance":
		return []string{"on", "off"}
	case "as":
		return []string{string(client.PeerActive), string(client.PeerDraining), string(client.PeerMaintenance), "removed"}
	}
	return nil
}

// resolve settles the settings of cmd from flags, environment and file.
func resolve(w World, cmd *cobra.Command, table config.Table) (config.Values, error) {
	name, raw, err := readConfig(w, cmd)
	if err != nil {
		return config.Values{}, err
	}
	from := config.Sources{Flags: map[string]string{}, Lookup: w.Lookup, FileName: name, File: raw, Others: allSettings()}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if raw, ok := f.Value.(*rawFlag); ok {
			from.Flags[f.Name] = raw.text
		}
	})
	return table.Resolve(from)
}

// allSettings are the keys that may stand in a file, whichever command reads it.
func allSettings() config.Table {
	var all config.Table
	for _, t := range []config.Table{config.Serve(), devTable(), statusTable(), verifyTable(), eventsTable(), loadTable(), queryTable(),
		planTable(), drainTable(), settingsTable(), rebalanceTable(), operationsTable(), watchTable()} {
		all = append(all, t...)
	}
	return all
}

// oneOf checks a setting against the words that it may be.
func oneOf(v config.Values, name string, words ...string) (string, error) {
	got := v.String(name)
	for _, w := range words {
		if got == w {
			return got, nil
		}
	}
	return "", usage("--%s %q: want %s", name, got, strings.Join(words, " or "))
}
