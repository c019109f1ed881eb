package dense_test

import (
	"fmt"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// After half of the vectors were replaced or removed, an index finds what one does that is built of what is left, whether
// the dead rows were cleared away or are still there.
func TestHalfReplacedIsAsGoodAsFresh(t *testing.T) {
	unraced(t)
	const size, count, allowed = 24, uint32(4000), 0.01
	for _, d := range []vec.Distance{vec.Euclid, vec.Cosine} {
		for name, threshold := range map[string]float64{"cleared away": 0.2, "still there": 1} {
			t.Run(fmt.Sprint(d, ", ", name), func(t *testing.T) {
				config := graphConfig
				config.Threads, config.DeletedThreshold = 1, threshold
				draw := shapes(21, size)["even"]
				old := newIndex(t, dense.Options{Size: size, Distance: d, Config: config})
				defer closeIndex(t, old)
				fresh := newIndex(t, dense.Options{Size: size, Distance: d, Config: config})
				defer closeIndex(t, fresh)
				now := make([][]float32, count)
				for l := range count {
					now[l] = d.Stored(draw())
					put(t, old, l, now[l]...)
				}
				old.Publish()
				settle(t, old)
				for l := range count / 2 {
					if now[l] = nil; l%5 == 0 {
						old.Remove(l)
						continue
					}
					now[l] = d.Stored(draw())
					put(t, old, l, now[l]...)
				}
				for l, v := range now {
					if v != nil {
						put(t, fresh, uint32(l), v...)
					}
				}
				old.Publish()
				settle(t, old)
				if rows := old.Rows(); (rows > int(count)) == (threshold < 1) {
					t.Fatalf("%d rows", rows)
				}
				fresh.Publish()
				settle(t, fresh)
				p := &pair{whole: fresh}
				p.ask(t, d, 1000, draw)
				for _, ef := range []int{32, 64, 128} {
					if is, was := p.recall(t, old, ef), p.recall(t, fresh, ef); is < was-allowed {
						t.Errorf("ef %d: recall %.4f, of a fresh index %.4f", ef, is, was)
					}
				}
			})
		}
	}
}
