package coordinator_test

import (
	"context"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

func hasWord(field string) *filter.Filter {
	return &filter.Filter{Must: []filter.Condition{{Field: &filter.Field{Key: field, Match: &filter.Match{Text: &filter.Text{Query: "x", Mode: filter.TextAll}}}}}}
}

// What text means is settled before anything is sent: with a tokenizer where the field has a text index, and without
// one where it has none.
func TestTextConditionsTakeTheTokenizersOfTheirFields(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.mu.state.Collections[5].PayloadSchema = map[string]catalog.FieldIndex{"body": {Type: catalog.TextField}, "tag": {Type: catalog.KeywordField}}
		var seen []string
		see := func(f *filter.Filter) { seen = append(seen, f.String()) }
		w.search = func(_ context.Context, _ call, reqs []shard.SearchRequest) ([][]shard.Scored, error) {
			for _, r := range reqs {
				see(r.Filter)
			}
			return make([][]shard.Scored, len(reqs)), nil
		}
		w.scroll = func(_ context.Context, _ call, req shard.ScrollRequest) ([]point.Record, error) {
			see(req.Filter)
			return nil, nil
		}
		w.count = func(context.Context, call) (uint64, error) { return 0, nil }
		w.write = func(_ context.Context, _ int, c call) (uint64, bool, error) {
			var b []byte
			switch op := c.op.(type) {
			case point.Upsert:
				b = op.Condition
			case point.UpdateVectors:
				b = op.Condition
			case point.DeleteVectors:
				b = op.Filter
			case point.Delete:
				b = op.Filter
			case point.SetPayload:
				b = op.Filter
			case point.OverwritePayload:
				b = op.Filter
			case point.DeletePayload:
				b = op.Filter
			case point.ClearPayload:
				b = op.Filter
			}
			f, err := filter.Decode(b)
			see(f)
			return 1, true, err
		}
		ctx := context.Background()
		for field, want := range map[string]string{"body": `body has all word tokens of "x"`, "tag": `tag has all text of "x"`} {
			f := hasWord(field)
			sel := point.Selector{Filter: filter.Encode(f)}
			points := []point.Point{{ID: point.Num(1), Vectors: point.Vectors{"": {1, 2}}}}
			seen = nil
			for _, op := range []point.Op{
				point.Upsert{Points: points, Condition: sel.Filter}, point.UpdateVectors{Points: points, Condition: sel.Filter},
				point.DeleteVectors{Selector: sel, Names: []string{""}}, point.Delete{Selector: sel}, point.SetPayload{Selector: sel},
				point.OverwritePayload{Selector: sel}, point.DeletePayload{Selector: sel, Keys: []string{"k"}}, point.ClearPayload{Selector: sel},
			} {
				if _, err := w.c.Write(ctx, col, op, coordinator.WriteOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			q := coordinator.Query{SearchRequest: shard.SearchRequest{Vector: []float32{1, 2}, Limit: 1, Filter: f}}
			if _, err := w.c.Search(ctx, col, []coordinator.Query{q, q}, coordinator.ReadOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := w.c.Scroll(ctx, col, shard.ScrollRequest{Limit: 1, Filter: f}, coordinator.ReadOptions{}); err != nil {
				t.Fatal(err)
			}
			if len(seen) != 8+2+1 {
				t.Errorf("%d filters came through", len(seen))
			}
			for i, got := range seen {
				if got != want {
					t.Errorf("%s, %d: got %s, want %s", field, i, got, want)
				}
			}
		}
	}, ids{1})
}
