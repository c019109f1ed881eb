package hnsw_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
)

// shapes are kinds of data, hard ones among them, each with queries.
func shapes(r *rand.Rand, n int) map[string][2][][]float32 {
	const size, queries = 12, 40
	around := func(centres [][]float32, n int, spread float32) [][]float32 {
		all := random(r, n, size)
		for i := range all {
			for j := range all[i] {
				all[i][j] = centres[i%len(centres)][j] + spread*all[i][j]
			}
		}
		return all
	}
	centres := random(r, 40, size)
	line := func(n int) [][]float32 {
		all := random(r, n, size)
		for i := range all {
			along := r.Float32() * 100
			for j := range all[i] {
				all[i][j] = 0.01*all[i][j] + along
			}
		}
		return all
	}
	copies := func(distinct, n int) [][]float32 {
		some, all := random(r, distinct, size), make([][]float32, n)
		for i := range all {
			all[i] = slices.Clone(some[i%distinct])
		}
		return all
	}
	bits := func(n int) [][]float32 {
		all := random(r, n, size)
		for i := range all {
			for j, x := range all[i] {
				all[i][j] = float32(math.Float32bits(x) >> 31)
			}
		}
		return all
	}
	return map[string][2][][]float32{
		"bits":           {bits(n), bits(queries)},
		"random":         {random(r, n, size), random(r, queries, size)},
		"clusters":       {around(centres, n, 0.05), around(centres, queries, 0.05)},
		"tight clusters": {around(centres, n, 0.0005), around(centres, queries, 0.0005)},
		"line":           {line(n), line(queries)},
		"30 copies each": {copies(n/30, n), random(r, queries, size)},
		"few values":     {copies(5, n), random(r, queries, size)},
		"one value":      {copies(1, n), random(r, queries, size)},
	}
}

// orders are ways to insert the same vectors.
func orders(r *rand.Rand, vectors [][]float32) map[string][][]float32 {
	sorted, shuffled, reversed := slices.Clone(vectors), slices.Clone(vectors), slices.Clone(vectors)
	slices.SortStableFunc(sorted, func(a, b []float32) int { return slices.Compare(a, b) })
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.Reverse(reversed)
	return map[string][][]float32{"as they come": vectors, "sorted": sorted, "shuffled": shuffled, "reversed": reversed}
}

// What is found does not depend on the order of insertion, nor on how the data lies.
func TestRecallDoesNotDependOnTheOrderOfInsertion(t *testing.T) {
	n := few(2000)
	for name, shape := range shapes(rand.New(rand.NewPCG(1, 2)), n) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lowest, highest := 1.0, 0.0
			what := ""
			for order, vectors := range orders(rand.New(rand.NewPCG(3, 4)), shape[0]) {
				p := newPoints(vectors)
				g := newGraph(t, hnsw.Options{})
				build(t, g, p, 0, n)
				ef := 64
				if name == "30 copies each" { // of which ef holds few
					ef = 300
				}
				got := recall(t, g, p, shape[1], 10, ef, nil, nil)
				if lost := n - reachable(g, n); lost > n/1000 {
					t.Errorf("%s: %d rows cannot be reached", order, lost)
				}
				lowest, highest = min(lowest, got), max(highest, got)
				what += fmt.Sprintf(" %s %.3f", order, got)
			}
			t.Log(what)
			if lowest < 0.95 || highest-lowest > 0.05 {
				t.Errorf("recall by order:%s", what)
			}
		})
	}
}

// reachable is how many of n rows the links of level 0 lead to from row 0.
func reachable(g *hnsw.Graph, n int) int {
	seen, todo := make([]bool, n), []uint32{0}
	seen[0] = true
	for i := 0; i < len(todo); i++ {
		for _, row := range g.Links(todo[i], 0) {
			if !seen[row] {
				seen[row] = true
				todo = append(todo, row)
			}
		}
	}
	return len(todo)
}
