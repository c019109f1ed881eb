package peer

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/peer/peerpb"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

func exploreToWire(x *shard.Explore) *peerpb.Explore {
	if x == nil {
		return nil
	}
	w := &peerpb.Explore{Kind: uint32(x.Kind), Positive: floatsToWire(x.Positive), Negative: floatsToWire(x.Negative)}
	if x.Target != nil {
		w.Target = &peerpb.Floats{Values: x.Target}
	}
	return w
}

func exploreFromWire(w *peerpb.Explore) (*shard.Explore, error) {
	if w == nil {
		return nil, nil
	}
	x := &shard.Explore{Target: w.GetTarget().GetValues(), Positive: floatsFromWire(w.GetPositive()), Negative: floatsFromWire(w.GetNegative())}
	if k := w.GetKind(); k <= uint32(shard.Context) {
		x.Kind = shard.ExploreKind(k)
	}
	if !x.Valid() {
		return nil, fault.New(fault.Invalid, "examples of kind %d are not whole", w.GetKind())
	}
	return x, nil
}

func floatsToWire(vectors [][]float32) (ws []*peerpb.Floats) {
	for _, v := range vectors {
		ws = append(ws, &peerpb.Floats{Values: v})
	}
	return ws
}

func floatsFromWire(ws []*peerpb.Floats) (vectors [][]float32) {
	for _, w := range ws {
		vectors = append(vectors, w.GetValues())
	}
	return vectors
}
