package dense

import (
	"cmp"
	"errors"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/arena"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/quant"
)

func containsRow(rows []uint32, row uint32) bool { return slices.Contains(rows, row) }

// ranked returns, for some of the sample, the rows of the sample that are nearest in a codec's eyes, but for itself.
func ranked(codec quant.Codec, sample [][]float32, k int) (near [][]uint32, err error) {
	rows, err := arena.New(arena.Options{Stride: stride(codec.Bytes())})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if err := rows.Grow(len(sample)); err != nil {
		return nil, err
	}
	numbers, scores := make([]uint32, len(sample)), make([]float32, len(sample))
	for i, v := range sample {
		codec.Encode(v, rows.Row(uint32(i)))
		numbers[i] = uint32(i)
	}
	scorer := codec.NewScorer(rows)
	order := make([]uint32, 0, len(sample))
	for q := 0; q < len(sample); q += max(1, len(sample)/sampleQueries) {
		scorer.Query(sample[q])
		scorer.Score(numbers, scores)
		order = order[:0]
		for _, row := range numbers {
			if int(row) != q {
				order = append(order, row)
			}
		}
		slices.SortFunc(order, func(a, b uint32) int { return cmp.Or(cmp.Compare(scores[a], scores[b]), cmp.Compare(a, b)) })
		near = append(near, slices.Clone(order[:min(k, len(order))]))
	}
	return near, nil
}
