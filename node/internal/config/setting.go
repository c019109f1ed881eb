// Package config owns how a command's settings are found and checked: one table of settings drives the flags, the
// environment variables, the keys of the configuration file, and their documentation.
//
// Order: flag, environment, file, default. Every error names the setting, where its value came from, and what to write
// instead; all errors are told at once, in one error of class fault.Invalid. The package reads nothing by itself: flags,
// environment and the file's bytes are passed in. It never changes a value that the user gave.
package config

import (
	"fmt"
	"strings"
)

// Kind is a setting's type.
type Kind uint8

// The kinds of setting.
const (
	String Kind = iota
	Bool        // in text: true, false, 1, 0
	Int         // 0 or more
	List        // in text: separated by commas
	Lines       // a list whose items may hold commas; in text: one a line
)

// Setting is one row of a table. Its name is the flag's (--data-dir); the environment variable (OSTRAKA_DATA_DIR) and
// the file's key (data_dir) follow from it.
type Setting struct {
	Name        string
	Kind        Kind
	Placeholder string // what a value looks like, such as HOST:PORT; "" for Bool
	Default     string
	Usage       string // one line, lower case, no full stop
	AlsoEnv     string // another environment variable, read when the setting's own is not set
}

// Env returns the name of the setting's environment variable.
func (s Setting) Env() string {
	return "OSTRAKA_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Key returns the setting's key in a configuration file.
func (s Setting) Key() string { return strings.ReplaceAll(s.Name, "-", "_") }

// Table is the settings of one command, in the order in which they are shown.
type Table []Setting

// Markdown describes the settings for the documentation.
func (t Table) Markdown() string {
	var b strings.Builder
	b.WriteString("| flag | environment | file | default | what it says |\n|---|---|---|---|---|\n")
	for _, s := range t {
		def := s.Default
		if def != "" {
			def = "`" + def + "`"
		}
		flag := strings.TrimSpace("--" + s.Name + " " + s.Placeholder)
		fmt.Fprintf(&b, "| `%s` | `%s` | `%s` | %s | %s |\n", flag, s.Env(), s.Key(), def, s.Usage)
	}
	return b.String()
}

func (t Table) byKey(key string) (Setting, bool) {
	for _, s := range t {
		if s.Key() == key {
			return s, true
		}
	}
	return Setting{}, false
}
