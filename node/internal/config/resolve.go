package config

import (
	"errors"
	"strconv"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Sources are where values may come from.
type Sources struct {
	Flags  map[string]string           // by name; only the flags that were given
	Lookup func(string) (string, bool) // the environment, as os.LookupEnv; nil: none

	FileName string // for errors; "" when there is no file
	File     []byte
	// Others are settings of other commands: their keys may stand in the file and are ignored, so that one file can
	// serve several commands.
	Others Table
}

// Values are the settled values of a table.
type Values struct {
	table  Table
	values map[string]value
}

// value is a setting's value with the place that it came from.
type value struct {
	text   string
	items  []string // of a List or Lines
	origin string   // such as "--name", "environment OSTRAKA_NAME", "node.hcl:3", "default"
	given  bool     // it is not the default
}

// Resolve finds the value of every setting and checks its kind.
func (t Table) Resolve(from Sources) (Values, error) {
	v := Values{table: t, values: map[string]value{}}
	file, errs := readFile(t, from)
	for _, s := range t {
		found := value{text: s.Default, origin: "default"}
		if f, ok := file[s.Name]; ok {
			found = f
		}
		if f, ok := fromEnvironment(s, from); ok {
			found = f
		}
		if text, ok := from.Flags[s.Name]; ok {
			found = value{text: text, origin: "--" + s.Name, given: true}
		}
		if found.items == nil {
			found.items = s.split(found.text)
		}
		v.values[s.Name] = found
		errs = append(errs, v.checkKind(s))
	}
	return v, asOne(errs)
}

func fromEnvironment(s Setting, from Sources) (value, bool) {
	for _, name := range []string{s.Env(), s.AlsoEnv} {
		if from.Lookup == nil || name == "" {
			continue
		}
		if text, ok := from.Lookup(name); ok && text != "" {
			return value{text: text, origin: "environment " + name, given: true}, true
		}
	}
	return value{}, false
}

// split cuts a list into its items and drops white space and empty items. It returns nil for what is no list.
func (s Setting) split(text string) []string {
	var items []string
	separator := map[Kind]string{List: ",", Lines: "\n"}[s.Kind]
	if separator == "" {
		return nil
	}
	for item := range strings.SplitSeq(text, separator) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (v Values) checkKind(s Setting) error {
	switch s.Kind {
	case Bool:
		if _, err := strconv.ParseBool(v.values[s.Name].text); err != nil {
			return v.wrong(s.Name, "want true or false")
		}
	case Int:
		if _, err := strconv.ParseUint(v.values[s.Name].text, 10, 31); err != nil {
			return v.wrong(s.Name, "want a whole number, 0 or more")
		}
	case String, List, Lines:
	}
	return nil
}

// String returns the value of a String.
func (v Values) String(name string) string { return v.values[name].text }

// Bool returns the value of a Bool.
func (v Values) Bool(name string) bool {
	b, _ := strconv.ParseBool(v.values[name].text) // checked by Resolve
	return b
}

// Int returns the value of an Int.
func (v Values) Int(name string) int {
	n, _ := strconv.ParseUint(v.values[name].text, 10, 31) // checked by Resolve
	return int(n)
}

// List returns the items of a List or Lines.
func (v Values) List(name string) []string { return append([]string(nil), v.values[name].items...) }

// Given reports whether a value was given, by whatever source.
func (v Values) Given(name string) bool { return v.values[name].given }

// wrong is the error of one setting: what it is, where it came from, and what it should be.
func (v Values) wrong(name, want string, args ...any) error {
	found := v.values[name]
	origin := ""
	if found.origin != "--"+name {
		origin = " (" + found.origin + ")"
	}
	text := found.text
	if found.items != nil {
		text = strings.Join(found.items, ",")
	}
	return fault.New(fault.Invalid, "--%s %q%s: "+want, append([]any{name, text, origin}, args...)...)
}

// asOne makes one error of class Invalid of all that are not nil.
func asOne(errs []error) error {
	if err := errors.Join(errs...); err != nil {
		return fault.New(fault.Invalid, "%s", err.Error())
	}
	return nil
}
