package inproc

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
)

// The plot's size and the place of its axes.
const (
	plotWidth, plotHeight               = 760, 480
	plotLeft, plotRight                 = 80, 20
	plotTop, plotBottom                 = 40, 60
	plotLowestRecall, plotHighestRecall = 0.80, 0.9995
)

var plotColours = []string{"#c0392b", "#2c7fb8", "#31a354", "#756bb1", "#e6842a", "#636363"}

// Plot draws queries per second against recall as SVG. Recall is on a scale where each step to the right halves what is
// missing, so that what lies near 1 can be told apart.
func Plot(w io.Writer, set *dataset.Set, curves []Curve, clock Clock) error {
	p := newPlot(curves, clock)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<text x="%d" y="22" font-size="15">%s: %d x %d, %s, 1 thread (%s time)</text>`+"\n",
		plotLeft, set.Name, set.Len(), set.Size, set.Distance, clock.Name)
	p.axes(&b)
	for i, c := range curves {
		p.curve(&b, c, plotColours[i%len(plotColours)], i)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

type plot struct {
	clock       Clock
	least, most float64 // rates, powers of ten times 1, 2 or 5
}

func newPlot(curves []Curve, clock Clock) *plot {
	p := &plot{clock: clock, least: math.Inf(1), most: 1}
	for _, c := range curves {
		for _, point := range c.Points {
			if point.Recall >= plotLowestRecall && clock.Rate(point) > 0 {
				p.least, p.most = min(p.least, clock.Rate(point)), max(p.most, clock.Rate(point))
			}
		}
	}
	p.least, p.most = min(p.least, p.most)*0.8, p.most*1.25
	return p
}

// x is where a recall lies.
func (p *plot) x(recall float64) float64 {
	lost := func(r float64) float64 { return -math.Log2(1 - min(max(r, plotLowestRecall), plotHighestRecall)) }
	share := (lost(recall) - lost(plotLowestRecall)) / (lost(plotHighestRecall) - lost(plotLowestRecall))
	return plotLeft + share*(plotWidth-plotLeft-plotRight)
}

// y is where a rate lies.
func (p *plot) y(rate float64) float64 {
	share := math.Log(rate/p.least) / math.Log(p.most/p.least)
	return plotHeight - plotBottom - share*(plotHeight-plotTop-plotBottom)
}

func (p *plot) axes(b *strings.Builder) {
	bottom := float64(plotHeight - plotBottom)
	for _, r := range []float64{0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999} {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="middle">%g</text>`+"\n",
			p.x(r), plotTop, p.x(r), bottom, p.x(r), bottom+18, r)
	}
	for power := math.Pow(10, math.Floor(math.Log10(p.least))); power < p.most; power *= 10 {
		for _, step := range []float64{1, 2, 5} {
			if rate := power * step; rate >= p.least && rate <= p.most {
				fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
					plotLeft, p.y(rate), plotWidth-plotRight, p.y(rate), plotLeft-6, p.y(rate)+4, rate)
			}
		}
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">recall@%d</text>`+"\n", (plotWidth+plotLeft)/2, plotHeight-16, K)
	fmt.Fprintf(b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">queries per second</text>`+"\n", plotHeight/2)
}

func (p *plot) curve(b *strings.Builder, c Curve, colour string, i int) {
	var line strings.Builder
	for _, point := range c.Points {
		if rate := p.clock.Rate(point); point.Recall >= plotLowestRecall && rate > 0 {
			fmt.Fprintf(&line, "%.1f,%.1f ", p.x(point.Recall), p.y(rate))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`+"\n", p.x(point.Recall), p.y(rate), colour)
		}
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.8"/>`+"\n", line.String(), colour)
	fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", plotWidth-plotRight-110, plotTop+16+18*i, colour, c.Engine)
}
