package coordinator_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// A payload index is ready once every replica that may be read has the one that is declared; its points are counted once.
func TestPayloadIndexesAreReadyWhereTheyAreRead(t *testing.T) {
	integer, text := catalog.FieldIndex{Type: catalog.IntegerField}, catalog.FieldIndex{Type: catalog.TextField}
	has := func(f catalog.FieldIndex, ready bool) payload.Status {
		return payload.Status{Spec: replica.FieldOf(f).String(), Ready: ready, Points: 10}
	}
	all := map[string]payload.Status{"n": has(integer, true), "body": has(text, true), "dropped": has(text, true)}
	for name, c := range map[string]struct {
		change func(fields map[string]payload.Status)
		dead   bool
		want   coordinator.FieldInfo // of n
	}{
		"complete":        {func(map[string]payload.Status) {}, false, coordinator.FieldInfo{Points: 20, Ready: true}},
		"not complete":    {func(f map[string]payload.Status) { f["n"] = has(integer, false) }, false, coordinator.FieldInfo{Points: 20}},
		"absent":          {func(f map[string]payload.Status) { delete(f, "n") }, false, coordinator.FieldInfo{Points: 20}},
		"of another type": {func(f map[string]payload.Status) { f["n"] = has(text, true) }, false, coordinator.FieldInfo{Points: 20}},
		"on a dead peer":  {func(f map[string]payload.Status) { delete(f, "n") }, true, coordinator.FieldInfo{Points: 20, Ready: true}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				w.mu.state.Collections[5].PayloadSchema = map[string]catalog.FieldIndex{"n": integer, "body": text}
				w.status = func(peer catalog.PeerID, refs []catalog.ShardRef) (out []replica.Status, err error) {
					fields := maps.Clone(all)
					if peer == 3 {
						c.change(fields)
					}
					for _, ref := range refs {
						gen := catalog.Generation(10*ref.Shard) + catalog.Generation(peer)
						out = append(out, replica.Status{Ref: ref, Generation: gen, Fields: fields})
					}
					return out, nil
				}
				if c.dead {
					w.kill(3)
				}
				info, err := w.c.Info(context.Background(), col)
				want := map[string]coordinator.FieldInfo{"n": c.want, "body": {Points: 20, Ready: true}}
				if err != nil || !maps.Equal(info.Fields, want) {
					t.Errorf("%+v, %v, want %+v", info.Fields, err, want)
				}
			}, ids{1, 3}, ids{2, 3})
		})
	}
}

func TestFacetsOfAllShardsAreAddedUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.mu.state.Collections[5].PayloadSchema = map[string]catalog.FieldIndex{"k": {Type: catalog.KeywordField}, "n": {Type: catalog.FloatField}}
		w.facet = func(_ context.Context, c call, req shard.FacetRequest) ([]payload.Facet, error) {
			if req.Path != "k" || !req.Exact {
				t.Errorf("%+v", req)
			}
			return [][]payload.Facet{{{Value: "a", Count: 3}, {Value: "b", Count: 2}, {Value: "d", Count: 1}}, {{Value: "c", Count: 4}, {Value: "b", Count: 2}, {Value: "a", Count: 1}}}[c.shard], nil
		}
		for limit, want := range map[uint64][]payload.Facet{
			2: {{Value: "a", Count: 4}, {Value: "b", Count: 4}}, 9: {{Value: "a", Count: 4}, {Value: "b", Count: 4}, {Value: "c", Count: 4}, {Value: "d", Count: 1}},
		} {
			got, err := w.c.Facet(context.Background(), col, shard.FacetRequest{Path: "k", Exact: true}, limit, coordinator.ReadOptions{})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, %v, want %v", got, err, want)
			}
		}
		for _, path := range []string{"n", "x"} {
			_, err := w.c.Facet(context.Background(), col, shard.FacetRequest{Path: path}, 1, coordinator.ReadOptions{})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "No facet index for key: `"+path+"`") {
				t.Errorf("%s: %v", path, err)
			}
		}
	}, ids{1}, ids{2})
}

func TestPointsOfAllShardsComeInOneOrder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.mu.state.Collections[5].PayloadSchema = map[string]catalog.FieldIndex{"n": {Type: catalog.IntegerField}, "k": {Type: catalog.KeywordField}}
		hit := func(id uint64, rank int64) shard.Scored {
			return shard.Scored{Rank: rank, Record: point.Record{Point: point.Point{ID: point.Num(id)}}}
		}
		var desc bool
		w.search = func(_ context.Context, c call, reqs []shard.SearchRequest) ([][]shard.Scored, error) {
			lists := [][]shard.Scored{{hit(1, 10), hit(3, 20), hit(5, 30)}, {hit(2, 10), hit(4, 20), hit(6, 25)}}
			if desc {
				lists = [][]shard.Scored{{hit(5, 30), hit(3, 20), hit(1, 10)}, {hit(6, 25), hit(4, 20), hit(2, 10)}}
			}
			return [][]shard.Scored{lists[c.shard]}, nil
		}
		seed := uint64(7)
		for _, c := range []struct {
			req  shard.SearchRequest
			desc bool
			want []uint64
		}{
			{shard.SearchRequest{Order: &payload.Order{Path: "n"}}, false, []uint64{2, 3, 4, 6}},
			{shard.SearchRequest{Order: &payload.Order{Path: "n", Desc: true}}, true, []uint64{6, 3, 4, 1}},
			{shard.SearchRequest{Sample: &seed}, false, []uint64{2, 3, 4, 6}},
		} {
			desc, c.req.Limit = c.desc, 4
			got, err := w.c.Search(context.Background(), col, []coordinator.Query{{SearchRequest: c.req, Offset: 1}}, coordinator.ReadOptions{})
			var found []uint64
			for _, h := range got[0] {
				found = append(found, h.ID.Number())
			}
			if err != nil || !slices.Equal(found, c.want) {
				t.Errorf("%+v: %v, %v, want %v", c.req, found, err, c.want)
			}
		}
		now := time.Now()
		for name, req := range map[string]shard.SearchRequest{
			"keyword": {Order: &payload.Order{Path: "k"}}, "nothing": {Order: &payload.Order{Path: "x"}}, "both": {Order: &payload.Order{Path: "n"}, Sample: &seed},
			"moment": {Order: &payload.Order{Path: "n", From: payload.Start{Time: &now}}}, "no limit": {Sample: &seed, Limit: 0},
		} {
			if name != "no limit" {
				req.Limit = 1
			}
			if _, err := w.c.Search(context.Background(), col, []coordinator.Query{{SearchRequest: req}}, coordinator.ReadOptions{}); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}, ids{1}, ids{2})
}

// A collection is not done as long as a replica has yet to hear of what was declared: else who changes it and waits until it is
// would not wait at all.
func TestReplicasThatDoNotKnowWhatIsDeclaredAreNotDone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		declared := replica.SchemaOf(w.mu.state.Collections[5]).Mark()
		for name, c := range map[string]struct {
			marks map[catalog.PeerID]uint64
			want  bool
		}{
			"all follow":    {map[catalog.PeerID]uint64{1: declared, 2: declared, 3: declared}, false},
			"one does not":  {map[catalog.PeerID]uint64{1: declared, 2: declared, 3: declared + 1}, true},
			"nobody tells":  {nil, false},
			"only one does": {map[catalog.PeerID]uint64{2: declared + 1}, true},
		} {
			w.status = func(peer catalog.PeerID, refs []catalog.ShardRef) (out []replica.Status, err error) {
				for _, ref := range refs {
					gen := catalog.Generation(10*ref.Shard) + catalog.Generation(peer)
					out = append(out, replica.Status{Ref: ref, Generation: gen, Schema: c.marks[peer]})
				}
				return out, nil
			}
			if info, err := w.c.Info(context.Background(), col); err != nil || info.Indexing != c.want {
				t.Errorf("%s: indexing %v, %v", name, info.Indexing, err)
			}
		}
	}, ids{1, 3}, ids{2, 3})
}
