package dense_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
)

func TestPart(t *testing.T) {
	for _, c := range []struct {
		nearest int
		share   float64
		want    int
	}{{10, 0, 10}, {10, 1, 10}, {10, 2, 10}, {10, -1, 10}, {10, 0.25, 7}, {100, 0.25, 38}, {1, 0.01, 1}, {0, 0.5, 0}, {1000, 0.001, 4}} {
		if got := dense.Part(c.nearest, c.share); got != c.want {
			t.Errorf("%d of %v: %d, want %d", c.nearest, c.share, got, c.want)
		}
	}
}

// Four indexes that keep only their share of candidates find together what one does.
func TestPartsFindWhatTheWholeFinds(t *testing.T) {
	unraced(t)
	const size, parts, count, allowed = 24, 4, uint32(4000), 0.005
	for _, d := range distances {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			draw := shapes(11, size)["even"]
			config := graphConfig
			config.Threads = 1
			whole := newIndex(t, dense.Options{Size: size, Distance: d, Config: config})
			defer closeIndex(t, whole)
			var cut [parts]*dense.Index
			for i := range cut {
				cut[i] = newIndex(t, dense.Options{Size: size, Distance: d, Config: config})
				defer closeIndex(t, cut[i])
			}
			for l := range count {
				v := d.Stored(draw())
				put(t, whole, l, v...)
				put(t, cut[l*2654435761>>30], l, v...)
			}
			for _, x := range append(cut[:], whole) {
				x.Publish()
				settle(t, x)
			}
			p := &pair{whole: whole}
			p.ask(t, d, 200, draw)
			for _, ef := range []int{10, 32, 64} {
				one := p.recall(t, whole, ef)
				all := make([][]dense.Hit, len(p.queries))
				for _, x := range cut {
					for i, hits := range p.search(t, x, dense.Params{Ef: ef, Share: 1.0 / parts}) {
						all[i] = append(all[i], hits...)
					}
				}
				found := 0
				for i, hits := range all {
					slices.SortFunc(hits, func(a, b dense.Hit) int {
						if d.LargerIsBetter() {
							a, b = b, a
						}
						return cmp.Compare(a.Score, b.Score)
					})
					for _, h := range hits[:min(10, len(hits))] {
						if slices.Contains(p.exact[i], h) {
							found++
						}
					}
				}
				if four := float64(found) / float64(10*len(all)); four < one-allowed {
					t.Errorf("ef %d: recall of %d parts %.4f, of one %.4f", ef, parts, four, one)
				}
			}
		})
	}
}
