package integration_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"

	"github.com/ostraka/terraform-provider-ostraka/node/devcluster"
)

// ranked lists ids by scores, best first, equal ones by id.
func ranked(scores map[uint64]float64, descending bool, limit int) (ids []uint64) {
	for id := range scores {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uint64) int {
		c := cmp.Compare(scores[a], scores[b])
		if descending {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a, b))
	})
	return ids[:min(limit, len(ids))]
}

// same compares hits with scores computed by hand.
func same(hits []*qdrant.ScoredPoint, scores map[uint64]float64, limit int) error {
	want := ranked(scores, true, limit)
	if len(hits) != len(want) {
		return fmt.Errorf("%d hits, want %d", len(hits), len(want))
	}
	for i, h := range hits {
		if got, should := float64(h.GetScore()), scores[want[i]]; math.Abs(got-should) > 1e-5*max(1, math.Abs(should)) || math.Abs(scores[h.GetId().GetNum()]-should) > 1e-5*max(1, math.Abs(should)) {
			return fmt.Errorf("hit %d is %v, want the score %v, of %d", i, h, should, want[i])
		}
	}
	return nil
}

// Prefetches of different kinds fused, recommendations and groups come out as computed by hand, through every node of a cluster
// whose points are spread over three shards.
func TestFusionsRecommendationsAndGroupsAreThoseOfTheWholeCollection(t *testing.T) {
	c := start(t, devcluster.Options{Nodes: 3})
	client := official(t, c, 0)
	const name = "kinds"
	declareKinds(t, client, name)
	k := newKinds()
	k.fill(t, client, name, 0, 120)
	const each = 30
	fused := func(half, rows map[uint64]float64) map[uint64]float64 {
		out := map[uint64]float64{}
		for _, list := range []map[uint64]float64{half, rows} {
			for rank, id := range ranked(list, true, each) {
				out[id] += 1 / float64(rank+2)
			}
		}
		return out
	}
	halfQuery, half, _ := k.scores("half")
	wordsQuery, words, _ := k.scores("words")
	for id := range words { // equal scores are ranked by id: floats must not tell apart what is equal
		words[id] = math.Round(words[id]*1e5) / 1e5
	}
	prefetch := []*qdrant.PrefetchQuery{
		{Query: halfQuery, Using: qdrant.PtrOf("half"), Limit: qdrant.PtrOf(uint64(each))}, {Query: wordsQuery, Using: qdrant.PtrOf("words"), Limit: qdrant.PtrOf(uint64(each))},
	}
	recommended := map[uint64]float64{}
	for id, v := range k.half {
		x := 2*(k.half[3][0]+k.half[4][0])/2 - k.half[5][0]
		y := 2*(k.half[3][1]+k.half[4][1])/2 - k.half[5][1]
		if id != 3 && id != 4 && id != 5 {
			recommended[id] = float64(v[0]*x + v[1]*y)
		}
	}
	example := func(id uint64) *qdrant.VectorInput { return qdrant.NewVectorInputID(qdrant.NewIDNum(id)) }
	for i := range 3 {
		node := official(t, c, i)
		eventually(t, fmt.Sprintf("node %d answers", i+1), func(ctx context.Context) error {
			hits, err := node.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Prefetch: prefetch, Query: qdrant.NewQueryFusion(qdrant.Fusion_RRF), Limit: qdrant.PtrOf(uint64(5)), WithPayload: qdrant.NewWithPayload(true)})
			if err != nil {
				return err
			}
			if err := same(hits, fused(half, words), 5); err != nil {
				return fmt.Errorf("fused: %w", err)
			}
			if hits[0].GetPayload()["even"].GetBoolValue() != (hits[0].GetId().GetNum()%2 == 0) {
				return fmt.Errorf("%v", hits[0])
			}
			hits, err = node.Query(ctx, &qdrant.QueryPoints{CollectionName: name, Using: qdrant.PtrOf("half"), Query: qdrant.NewQueryRecommend(&qdrant.RecommendInput{
				Positive: []*qdrant.VectorInput{example(3), example(4)}, Negative: []*qdrant.VectorInput{example(5)},
			})})
			if err != nil {
				return err
			}
			if err := same(hits, recommended, 10); err != nil {
				return fmt.Errorf("recommended: %w", err)
			}
			return k.grouped(ctx, node, name)
		})
	}
}

// grouped asks for the best points of each hand, and compares.
func (k *kinds) grouped(ctx context.Context, client *qdrant.Client, name string) error {
	query, scores, _ := k.scores("half")
	groups, err := client.QueryGroups(ctx, &qdrant.QueryPointGroups{
		CollectionName: name, Query: query, Using: qdrant.PtrOf("half"), GroupBy: "hand", Limit: qdrant.PtrOf(uint64(3)), GroupSize: qdrant.PtrOf(uint64(4)),
	})
	if err != nil {
		return err
	}
	tops := map[uint64]float64{}
	for hand := range uint64(10) {
		if top := ranked(k.ofHand(scores, hand), true, 1); len(top) > 0 {
			tops[hand] = scores[top[0]]
		}
	}
	for i, hand := range ranked(tops, true, 3) {
		if len(groups) != 3 || tops[groups[i].GetId().GetUnsignedValue()] != tops[hand] {
			return fmt.Errorf("groups %v, want %d in place %d", groups, hand, i)
		}
		if err := same(groups[i].GetHits(), k.ofHand(scores, groups[i].GetId().GetUnsignedValue()), 4); err != nil {
			return fmt.Errorf("group %v: %w", groups[i].GetId(), err)
		}
	}
	return nil
}

func (k *kinds) ofHand(scores map[uint64]float64, hand uint64) map[uint64]float64 {
	out := map[uint64]float64{}
	for id, s := range scores {
		if id%10 == hand {
			out[id] = s
		}
	}
	return out
}
