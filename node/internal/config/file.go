package config

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// MaxFileBytes bounds a configuration file. The parser recurses over what it reads, so a bound here is a bound there.
const MaxFileBytes = 64 << 10

// readFile reads the values that stand in the file: plain `key = value` lines of HCL. Expressions are not evaluated
// beyond literals: a configuration file has nothing to refer to.
func readFile(t Table, from Sources) (map[string]value, []error) {
	if from.FileName == "" {
		return nil, nil
	}
	if len(from.File) > MaxFileBytes {
		return nil, []error{fault.New(fault.Invalid, "%s: %d bytes, a configuration file has at most %d", from.FileName, len(from.File), MaxFileBytes)}
	}
	file, problems := hclsyntax.ParseConfig(from.File, from.FileName, hcl.InitialPos)
	if problems.HasErrors() {
		return nil, diagnosed(problems)
	}
	attributes, problems := file.Body.JustAttributes()
	if problems.HasErrors() {
		return nil, diagnosed(problems)
	}
	out, errs := map[string]value{}, []error(nil)
	for _, a := range inOrder(attributes) {
		s, ok := t.byKey(a.Name)
		if !ok {
			errs = append(errs, unknownKey(t, from, a))
			continue
		}
		v, err := attributeValue(s, a)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[s.Name] = v
	}
	return out, errs
}

func inOrder(attributes hcl.Attributes) []*hcl.Attribute {
	out := make([]*hcl.Attribute, 0, len(attributes))
	for _, a := range attributes {
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Range.Start.Byte < out[j].Range.Start.Byte })
	return out
}

func diagnosed(problems hcl.Diagnostics) []error {
	var errs []error
	for _, p := range problems {
		if p.Severity != hcl.DiagError {
			continue
		}
		where := ""
		if p.Subject != nil {
			where = place(*p.Subject) + ": "
		}
		errs = append(errs, fault.New(fault.Invalid, "%s%s: %s", where, p.Summary, p.Detail))
	}
	return errs
}

func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

func unknownKey(t Table, from Sources, a *hcl.Attribute) error {
	if _, ok := from.Others.byKey(a.Name); ok {
		return nil
	}
	if s, ok := t.byKey(strings.ReplaceAll(a.Name, "-", "_")); ok {
		return fault.New(fault.Invalid, "%s: %s is no key: write %s", place(a.Range), a.Name, s.Key())
	}
	var keys []string
	for _, s := range t {
		keys = append(keys, s.Key())
	}
	return fault.New(fault.Invalid, "%s: %s is no key: there are %s", place(a.Range), a.Name, strings.Join(keys, ", "))
}

func attributeValue(s Setting, a *hcl.Attribute) (value, error) {
	out := value{origin: place(a.Range), given: true}
	if !isLiteral(a.Expr) {
		return out, fault.New(fault.Invalid, "%s: %s: want a plain value: there is nothing to refer to or to compute", out.origin, s.Key())
	}
	v, problems := a.Expr.Value(nil)
	if problems.HasErrors() {
		return out, asOne(diagnosed(problems))
	}
	wrong := func(want string) (value, error) {
		return out, fault.New(fault.Invalid, "%s: %s: want %s", out.origin, s.Key(), want)
	}
	if v.IsNull() || !v.IsWhollyKnown() {
		return wrong("a value")
	}
	var ok bool
	switch s.Kind {
	case String:
		if out.text, ok = stringOf(v); !ok {
			return wrong(`text in quotes`)
		}
	case Bool:
		if v.Type() != cty.Bool {
			return wrong("true or false")
		}
		out.text = strconv.FormatBool(v.True())
	case Int:
		if out.text, ok = intOf(v); !ok {
			return wrong("a whole number, 0 or more")
		}
	case List, Lines:
		if out.items, ok = listOf(v); !ok {
			return wrong(`a list of texts, such as ["a:6335", "b:6335"]`)
		}
	}
	return out, nil
}

// isLiteral keeps everything that computes away from evaluation: nested "for" expressions alone would let a small file
// run for ever.
func isLiteral(e hcl.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return true
	case *hclsyntax.TemplateExpr:
		for _, part := range e.Parts {
			if _, ok := part.(*hclsyntax.LiteralValueExpr); !ok {
				return false
			}
		}
		return true
	case *hclsyntax.TupleConsExpr:
		for _, item := range e.Exprs {
			if !isLiteral(item) {
				return false
			}
		}
		return true
	}
	return false
}

func stringOf(v cty.Value) (string, bool) {
	if v.IsNull() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// intOf never writes out a number before it knows that it is small: 1e999999999 is a valid literal.
func intOf(v cty.Value) (string, bool) {
	if v.Type() != cty.Number || !v.AsBigFloat().IsInt() {
		return "", false
	}
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != 0 || n < 0 {
		return "", false
	}
	return strconv.FormatInt(n, 10), true
}

func listOf(v cty.Value) ([]string, bool) {
	if !v.Type().IsTupleType() && !v.Type().IsListType() {
		return nil, false
	}
	items := []string{}
	for _, e := range v.AsValueSlice() {
		s, ok := stringOf(e)
		if !ok || strings.TrimSpace(s) == "" {
			return nil, false
		}
		items = append(items, strings.TrimSpace(s))
	}
	return items, true
}
