package coordinator_test

import (
	"context"
	"maps"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
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
