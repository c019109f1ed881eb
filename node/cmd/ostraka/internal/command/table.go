package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The colours, as their ANSI codes.
const (
	plain  = ""
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
)

// minColumn is the narrowest that a column is cut to: less would say nothing.
const minColumn = 20

// printer writes for a person: tables, and colours where they can be seen.
type printer struct {
	out     io.Writer
	width   int // of the terminal; 0: there is none
	colours bool
	cut     bool // the last column of a table ends at the terminal's edge
	err     error
}

func newPrinter(w World) *printer {
	p := &printer{out: w.Out, width: w.Width(w.Out)}
	_, without := w.Lookup("NO_COLOR")
	p.colours = p.width > 0 && !without
	return p
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format, args...)
	}
}

// cell is a table's cell.
type cell struct {
	text   string
	colour string
}

// table prints rows in columns that are as wide as they need.
func (p *printer) table(header []string, rows [][]cell) {
	widths := make([]int, len(header))
	all := [][]cell{make([]cell, len(header))}
	for i, h := range header {
		all[0][i] = cell{h, bold}
	}
	all = append(all, rows...)
	for _, row := range all {
		for i := range row {
			row[i].text = printable(row[i].text)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	for _, row := range all {
		p.row(row, widths)
	}
}

func (p *printer) row(row []cell, widths []int) {
	var line strings.Builder
	column := 0
	for i, c := range row {
		last := i == len(row)-1
		text := c.text
		if last {
			text = p.fit(text, column)
		}
		line.WriteString(p.paint(text, c.colour))
		if !last {
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			column += widths[i] + 2
		}
	}
	p.printf("%s\n", strings.TrimRight(line.String(), " "))
}

// fit cuts what would run over the terminal's edge.
func (p *printer) fit(text string, column int) string {
	room := p.width - column
	if !p.cut || p.width == 0 || room < minColumn || utf8.RuneCountInString(text) <= room {
		return text
	}
	return string([]rune(text)[:room-1]) + "…"
}

func (p *printer) paint(text, colour string) string {
	if !p.colours || colour == plain || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// printable keeps what a server sent from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// printJSON writes v, indented.
func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// compactJSON writes v on one line; keys are sorted.
func compactJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "?"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// grouped writes n with commas, as in 6,000.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
