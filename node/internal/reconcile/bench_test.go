package reconcile_test

import (
	"fmt"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/reconcile"
)

// large is 1,000 collections of 2 shards with 2 copies on 3 peers, as declared.
func large(b *testing.B) *model {
	m := newModel(b)
	for i := range 3 {
		m.register(catalog.PeerID(i+1), fmt.Sprint("n", i), "")
	}
	for i := range 1000 {
		m.create(fmt.Sprint("c", i), 2, 2, 1)
	}
	for ref := range m.state.Shards() {
		m.obs.Bytes[ref] = 1 << 20
	}
	return m
}

func BenchmarkPlanAtRest(b *testing.B) {
	m := large(b)
	b.ReportAllocs()
	for b.Loop() {
		if steps := reconcile.Plan(m.state, m.obs); len(steps) != 0 {
			b.Fatal(steps)
		}
	}
}

func BenchmarkForeseeADrain(b *testing.B) {
	m := large(b)
	draining := catalog.Draining
	m.apply(catalog.Command{UpdatePeer: &catalog.UpdatePeer{ID: 1, State: &draining}})
	b.ReportAllocs()
	for b.Loop() {
		if f := reconcile.Foresee(m.state, m.obs, 0); !f.Rest || len(f.Steps) == 0 {
			b.Fatal(f)
		}
	}
}
