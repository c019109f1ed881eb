package command

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	barEvery   = 100 * time.Millisecond // on a terminal
	linesEvery = 5 * time.Second        // elsewhere
	barWidth   = 30
)

// progress tells how far a load is: a bar on a terminal, now and then a line elsewhere.
type progress struct {
	out      io.Writer
	now      func() time.Time
	terminal bool
	read     *counter
	size     int64 // of the file; 0: unknown
	start    time.Time
	last     time.Time
	drawn    bool
}

func newProgress(w World, read *counter, size int64) *progress {
	now := w.Now()
	return &progress{out: w.Err, now: w.Now, terminal: w.Width(w.Err) > 0, read: read, size: size, start: now, last: now}
}

func (p *progress) show(points uint64, line int) {
	now := p.now()
	every := linesEvery
	if p.terminal {
		every = barEvery
	}
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	text := fmt.Sprintf("%s points, up to line %s, %s a second", grouped(points), grouped(uint64(line)),
		grouped(uint64(float64(points)/now.Sub(p.start).Seconds())))
	if !p.terminal {
		fmt.Fprintln(p.out, text) //nolint:errcheck // progress is not worth a failure
		return
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s%s", p.bar(), text) //nolint:errcheck // as above
	p.drawn = true
}

func (p *progress) bar() string {
	if p.size == 0 {
		return ""
	}
	done := int(min(p.read.n, p.size) * barWidth / p.size)
	return fmt.Sprintf("[%s%s] %d%% ", strings.Repeat("#", done), strings.Repeat(".", barWidth-done), min(p.read.n, p.size)*100/p.size)
}

// end wipes the bar away.
func (p *progress) end() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K") //nolint:errcheck // as above
	}
}
