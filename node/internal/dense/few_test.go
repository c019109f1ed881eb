package dense_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
)

// bits are labels that can be written as bits.
type bits struct{ labels }

func (b bits) words() (all []uint64) {
	for l := range b.labels {
		if n := int(l/64) + 1; n > len(all) {
			all = append(all, make([]uint64, n-len(all))...)
		}
		all[l/64] |= 1 << (l % 64)
	}
	return all
}

func (b bits) DenseSize() uint64 { return uint64(len(b.words())) }

func (b bits) WriteDenseTo(out []uint64) {
	for i, w := range b.words() {
		out[i] |= w
	}
}

// A search that keeps few candidates finds under a filter what it finds without, whether what the filter takes lies near
// the query or anywhere.
func TestFewCandidatesUnderAFilter(t *testing.T) {
	unraced(t)
	const size, count = 16, uint32(6000)
	for _, d := range distances {
		t.Run(fmt.Sprint(d), func(t *testing.T) {
			config := graphConfig
			config.Threads, config.FullScanBytes = 1, 1
			x := newIndex(t, dense.Options{Size: size, Distance: d, Config: config})
			defer closeIndex(t, x)
			draw := shapes(5, size)["centres"]
			vectors := make([][]float32, count)
			order := make([]uint32, count) // by likeness to the first
			for l := range count {
				vectors[l], order[l] = d.Stored(draw()), l
				put(t, x, l, vectors[l]...)
			}
			x.Publish()
			settle(t, x)
			slices.SortFunc(order, func(a, b uint32) int {
				switch sa, sb := d.Score(vectors[0], vectors[a]), d.Score(vectors[0], vectors[b]); {
				case d.Better(sa, sb):
					return -1
				case d.Better(sb, sa):
					return 1
				}
				return 0
			})
			c := newCloud(5, size, 40)
			plain := recall(t, x, c, d, 12, nil)
			for _, percent := range []uint32{1, 5, 10, 20, 50, 90} {
				near, random := labels{}, labels{}
				for i := range count * percent / 100 {
					near[order[i]] = true
					random[uint32(uint64(i)*7919%uint64(count))] = true
				}
				for name, set := range map[string]labels{"near one another": near, "anywhere": random} {
					for form, f := range map[string]dense.Labels{"bits": bits{set}, "a set": set} {
						got := recall(t, x, c, d, 12, &dense.Filter{Lower: f, Upper: f, Expected: len(set)})
						if got < min(plain, 0.97)-0.04 {
							t.Errorf("%d %% %s, as %s: recall %.4f, without a filter %.4f", percent, name, form, got, plain)
						}
					}
				}
			}
		})
	}
}
