package quant

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// meansRounds is how often points are assigned to centres that have moved. Centres hardly move after.
const meansRounds = 8

// means finds k centres of points, which lie one after another with so many components each, by Lloyd's algorithm with
// centres that begin at points. Centres to which no point is nearest move to points drawn at random. With fewer points
// than centres, some centres are equal. Centres of one component come in order.
func means(ctx context.Context, points []float32, components, k int, r *rand.Rand) ([]float32, error) {
	n := len(points) / components
	centres := make([]float32, k*components)
	if n == 0 {
		return centres, nil
	}
	at := func(i int) []float32 { return points[i*components : (i+1)*components] }
	order := r.Perm(n)
	for i := range k {
		copy(centres[i*components:], at(order[i%n]))
	}
	m := meansRound{components: components, k: k, sums: make([]float64, k*components), counts: make([]int, k)}
	m.prepare()
	for range meansRounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if components == 1 {
			slices.Sort(centres)
		}
		m.assign(points, centres)
		for c := range k {
			if m.counts[c] == 0 {
				copy(centres[c*components:(c+1)*components], at(r.IntN(n)))
				continue
			}
			for j := range components {
				centres[c*components+j] = float32(m.sums[c*components+j] / float64(m.counts[c]))
			}
		}
	}
	if components == 1 {
		slices.Sort(centres)
	}
	return centres, nil
}

// meansRound holds the sums of one assignment.
type meansRound struct {
	components, k int
	sums          []float64
	counts        []int
	kernel        vec.Kernel[float32, float32, float32]
	offsets       []int
	distances     []float32
}

func (m *meansRound) prepare() {
	m.kernel = vec.ForFloat32(vec.Euclid)
	m.offsets, m.distances = make([]int, m.k), make([]float32, m.k)
	for i := range m.offsets {
		m.offsets[i] = i * m.components
	}
}

func (m *meansRound) assign(points, centres []float32) {
	clear(m.sums)
	clear(m.counts)
	for len(points) > 0 {
		p := points[:m.components]
		c := m.nearest(p, centres)
		m.counts[c]++
		for j, x := range p {
			m.sums[c*m.components+j] += float64(x)
		}
		points = points[m.components:]
	}
}

// nearest is the number of the centre that is nearest to a point.
func (m *meansRound) nearest(point, centres []float32) int {
	if m.components == 1 {
		return nearestNumber(point[0], centres)
	}
	m.kernel.Rows(point, centres, m.offsets, m.distances)
	return least(m.distances)
}

// least is the number of the smallest, the first of several.
func least(distances []float32) int {
	best, at := distances[0], 0
	for i, d := range distances {
		if d < best {
			best, at = d, i
		}
	}
	return at
}

// nearestNumber is the place of the number nearest to x among numbers in order.
func nearestNumber(x float32, numbers []float32) int {
	at, _ := slices.BinarySearch(numbers, x)
	if at == len(numbers) || at > 0 && x-numbers[at-1] <= numbers[at]-x {
		return at - 1
	}
	return at
}
