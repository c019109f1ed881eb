package command

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// watchedLines is how many moves and copies are shown at once.
	watchedLines = 20
	// endedLines is how many operations that have ended since it began are shown, and forgotten after.
	endedLines = 5
)

// watching shows one look after the other.
type watching struct {
	a              *asking
	terminal, once bool
	paces          paces
	lines          int // drawn before
	idle           bool
	told           map[string]told
	ended          []string
}

// told is what was said of a task last, elsewhere than on a terminal.
type told struct {
	text, what string
	at         time.Time
	operation  uint64
}

func (v *watching) show(now progressing) error {
	switch {
	case v.a.json:
		return json.NewEncoder(v.a.w.Out).Encode(now.json())
	case v.once:
		_, err := fmt.Fprint(v.a.w.Out, now.text())
		return err
	case v.terminal:
		return v.draw(now)
	}
	_, err := fmt.Fprint(v.a.w.Out, v.news(now))
	return err
}

// draw draws over what was drawn before. Operations that have ended since are shown above those that run.
func (v *watching) draw(now progressing) error {
	v.ended = append(v.ended, v.over(now)...)
	v.ended = v.ended[max(0, len(v.ended)-endedLines):]
	for _, t := range now.tasks {
		v.told[t.key] = t.telling("", now.at)
	}
	text := now.text()
	if len(v.ended) > 0 {
		text = strings.Join(v.ended, "\n") + "\n" + text
	}
	var b strings.Builder
	if v.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.lines)
	}
	width := v.a.w.Width(v.a.w.Out)
	v.lines = 0
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, "\x1b[K%s\n", cutTo(strings.TrimSuffix(line, "\n"), width))
		v.lines++
	}
	b.WriteString("\x1b[J")
	_, err := fmt.Fprint(v.a.w.Out, b.String())
	return err
}

// news is what has begun and ended since the last look, and how far the rest is, now and then.
func (v *watching) news(now progressing) string {
	var b strings.Builder
	say := func(text string) { fmt.Fprintf(&b, "%s %s\n", now.at.Format(time.TimeOnly), text) }
	for _, over := range v.over(now) {
		say(over)
	}
	shown := 0
	for _, t := range now.tasks {
		if t.operation == nil {
			if shown++; shown > watchedLines {
				continue
			}
		}
		was, known := v.told[t.key]
		text := t.line()
		if known && (text == was.text || now.at.Sub(was.at) < linesEvery) {
			continue
		}
		say(text)
		v.told[t.key] = t.telling(text, now.at)
	}
	if idle := len(now.tasks) == 0 && now.partial == 0; idle != v.idle {
		if v.idle = idle; idle {
			say("nothing is under way")
		}
	}
	return b.String()
}

func (t task) telling(text string, at time.Time) told {
	out := told{text: text, what: t.what, at: at}
	if t.operation != nil {
		out.operation = t.operation.ID
	}
	return out
}

// over tells what has ended since the last look, and forgets it.
func (v *watching) over(now progressing) []string {
	runs := map[string]bool{}
	for _, t := range now.tasks {
		runs[t.key] = true
	}
	var over []string
	for _, key := range slices.Sorted(maps.Keys(v.told)) {
		was := v.told[key]
		if runs[key] {
			continue
		}
		delete(v.told, key)
		switch o, ok := now.ended[was.operation]; {
		case ok:
			text := fmt.Sprintf("%s is %s after %s", was.what, o.State, o.Ended.Sub(o.Started).Round(time.Second))
			if o.Problem != "" {
				text += ": " + o.Problem
			}
			over = append(over, printable(text))
		case !v.terminal:
			over = append(over, printable(was.what+" is over"))
		}
	}
	return over
}

// text is a line per operation, move and copy, with bars.
func (p progressing) text() string {
	var b strings.Builder
	if len(p.tasks) == 0 && p.partial == 0 {
		return "Nothing is under way.\n"
	}
	shown := 0
	for _, t := range p.tasks {
		if t.operation == nil {
			if shown++; shown > watchedLines {
				continue
			}
		}
		fmt.Fprintf(&b, "%s%s\n", barOf(t.done, t.total), t.about())
	}
	if shown > watchedLines {
		fmt.Fprintf(&b, "... and %d more\n", shown-watchedLines)
	}
	if rest := p.partial - p.shown; rest > 0 {
		fmt.Fprintf(&b, "%s being brought up to date from the log\n", countOf(rest, "replica is", "replicas are"))
	}
	return b.String()
}

// line is what is told of a task without a bar.
func (t task) line() string {
	text := t.about()
	if t.total > 0 {
		text += fmt.Sprintf(" (%d%%)", min(t.done, t.total)*100/t.total)
	}
	return text
}

// about tells what a task is, how far, how fast, and for how long.
func (t task) about() string {
	var parts []string
	if t.note != "" {
		parts = append(parts, t.note)
	}
	if t.unit != "" && t.total > 0 && t.note != "waits for its turn" && !strings.HasPrefix(t.note, "waits: ") {
		parts = append(parts, t.amounts())
		if t.pace >= 1 && t.done < t.total {
			parts = append(parts, t.amount(uint64(t.pace))+"/s")
		}
	}
	if left := t.left(); left > 0 {
		parts = append(parts, "about "+left.String()+" left")
	}
	return printable(t.what + ": " + strings.Join(parts, ", "))
}

func (t task) amounts() string {
	if t.unit == "B" {
		return size(t.done) + " of " + size(t.total)
	}
	return grouped(t.done) + " of " + t.amount(t.total)
}

func (t task) amount(n uint64) string {
	if t.unit == "B" {
		return size(n)
	}
	return grouped(n) + " " + t.unit
}

// progressingJSON is one look. Its keys are a contract: add, never rename.
type progressingJSON struct {
	Operations []operationJSON `json:"operations"`
	Moves      []moveJSON      `json:"moves"`
	Transfers  []transferJSON  `json:"transfers"`
	Partial    int             `json:"partial_replicas"`
}

type transferJSON struct {
	Collection string `json:"collection"`
	Shard      uint32 `json:"shard"`
	From       uint64 `json:"from_peer,omitempty"`
	To         uint64 `json:"to_peer"`
	Bytes      uint64 `json:"bytes"`
	TotalBytes uint64 `json:"total_bytes"`
	PerSecond  uint64 `json:"bytes_per_second,omitempty"`
	Left       uint64 `json:"seconds_left,omitempty"`
	Problem    string `json:"problem,omitempty"`
}

type moveJSON struct {
	ID          uint64 `json:"id"`
	Collection  string `json:"collection"`
	Source      uint32 `json:"source_shard"`
	Target      uint32 `json:"target_shard"`
	Slots       uint32 `json:"slots"`
	Phase       string `json:"phase"`
	Points      uint64 `json:"points"`
	TotalPoints uint64 `json:"total_points"`
	Bytes       uint64 `json:"bytes"`
	PerSecond   uint64 `json:"points_per_second,omitempty"`
	Left        uint64 `json:"seconds_left,omitempty"`
	Problem     string `json:"problem,omitempty"`
}

func (p progressing) json() progressingJSON {
	out := progressingJSON{Operations: operationsJSON(p.operations), Moves: []moveJSON{}, Transfers: []transferJSON{}, Partial: p.partial}
	for _, t := range p.tasks {
		pace, left := uint64(t.pace), uint64(t.left().Seconds())
		switch {
		case t.move != nil:
			m := t.move
			out.Moves = append(out.Moves, moveJSON{
				ID: m.ID, Collection: t.collection, Source: m.Source, Target: m.Target, Slots: m.Slots, Phase: m.Phase,
				Points: m.Points, TotalPoints: m.TotalPoints, Bytes: m.Bytes, PerSecond: pace, Left: left, Problem: m.Problem,
			})
		case t.transfer != nil:
			out.Transfers = append(out.Transfers, transferJSON{
				Collection: t.collection, Shard: t.shard, From: uint64(t.transfer.From), To: uint64(t.to),
				Bytes: t.transfer.Bytes, TotalBytes: t.transfer.TotalBytes, PerSecond: pace, Left: left, Problem: t.transfer.Problem,
			})
		}
	}
	return out
}
