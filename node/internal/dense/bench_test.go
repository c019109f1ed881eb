package dense_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// BenchmarkSearch scans 50,000 vectors for the ten best; its peer in the same run compares them one by one.
func BenchmarkSearch(b *testing.B) {
	const count = 50_000
	for _, size := range []int{100, 768} {
		x := newIndex(b, dense.Options{Size: size, Distance: vec.Dot})
		rows := make([][]float32, count)
		for i := range rows {
			rows[i] = make([]float32, size)
			for j := range rows[i] {
				rows[i][j] = rand.Float32()
			}
			put(b, x, uint32(i), rows[i]...)
		}
		x.Publish()
		query := rows[7]
		b.Run(fmt.Sprintf("index/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := now(x, query, 10, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/vector")
		})
		b.Run(fmt.Sprintf("one-by-one/%d", size), func(b *testing.B) {
			best := float32(0)
			for b.Loop() {
				for _, row := range rows {
					best = max(best, vec.DotProduct(query, row))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/vector")
		})
	}
}
