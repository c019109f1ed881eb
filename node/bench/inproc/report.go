package inproc

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
)

// Clock is which of the two times a table is about.
type Clock struct {
	Name string
	Rate func(Point) float64
	Time func(Cost) time.Duration
}

// Clocks are the wall's and the processor's.
func Clocks() []Clock {
	return []Clock{
		{"wall", func(p Point) float64 { return p.Wall }, func(c Cost) time.Duration { return c.Wall }},
		{"CPU", func(p Point) float64 { return p.CPU }, func(c Cost) time.Duration { return c.CPU }},
	}
}

// between interpolates: rates fall by factors.
func between(a, b, share float64) float64 { return math.Exp((1-share)*math.Log(a) + share*math.Log(b)) }

// Report writes tables of what was measured. The first engine is set against each other one.
func Report(w io.Writer, set *dataset.Set, builds []Build, curves []Curve, recalls []float64) error {
	t := new(strings.Builder)
	raw := float64(4 * len(set.Base))
	fmt.Fprintf(t, "%s: %d x %d, %s, %d queries, raw %.0f MiB\n\n", set.Name, set.Len(), set.Size, set.Distance, set.QueryCount(), raw/(1<<20))
	fmt.Fprintf(t, "build\tthreads\twall s\tCPU s\tMiB\tof raw\t\n")
	for _, b := range builds {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.1f\t%.0f\t%.2f\t\n", b.Engine, b.Threads, b.Cost.Wall.Seconds(), b.Cost.CPU.Seconds(),
			float64(b.Bytes)/(1<<20), float64(b.Bytes)/raw)
	}
	fmt.Fprintf(t, "\nsearch, 1 thread\tef\trecall@%d\tQPS wall\tQPS CPU\t\n", K)
	for _, c := range curves {
		for _, p := range c.Points {
			fmt.Fprintf(t, "%s\t%d\t%.4f\t%.0f\t%.0f\t\n", c.Engine, p.Ef, p.Recall, p.Wall, p.CPU)
		}
	}
	for _, clock := range Clocks() {
		fmt.Fprintf(t, "\nQPS at recall (%s)\t", clock.Name)
		for _, r := range recalls {
			fmt.Fprintf(t, "%.2f\t", r)
		}
		fmt.Fprintln(t)
		for _, c := range curves {
			row(t, c.Engine, recalls, func(r float64) float64 { return c.At(r, clock.Rate) }, "%.0f")
		}
		for _, c := range curves[1:] {
			row(t, curves[0].Engine+" / "+c.Engine, recalls, func(r float64) float64 {
				return curves[0].At(r, clock.Rate) / c.At(r, clock.Rate)
			}, "%.2fx")
		}
	}
	fmt.Fprintln(t)
	aligned := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := io.WriteString(aligned, t.String()); err != nil {
		return err
	}
	return aligned.Flush()
}

func row(w *strings.Builder, name string, recalls []float64, of func(float64) float64, format string) {
	fmt.Fprintf(w, "%s\t", name)
	for _, r := range recalls {
		if x := of(r); x > 0 && !math.IsInf(x, 0) {
			fmt.Fprintf(w, format+"\t", x)
		} else {
			fmt.Fprint(w, "-\t")
		}
	}
	fmt.Fprintln(w)
}
