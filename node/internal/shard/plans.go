package shard

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
)

// Bounds of what is kept for filters that come again.
const (
	mostPlans  = 8   // each takes at most two bits per point: a plan's bitmaps and what dense makes of them
	leastKept  = 256 // plans.least
	mostTraces = 64  // filters of which it is known that they came
)

// plans keeps the plans of filters that come again while no payload changes. A plan is kept when its filter comes the
// second time, so filters that come once push nothing out.
type plans struct {
	least uint64 // labels that a plan leaves: one of fewer is made anew as quickly

	mu     sync.Mutex // the last lock to be taken
	moment uint64     // of the payload indexes, to which all else belongs
	kept   []*keptPlan
	traces []uint64 // hashes of filters, those that came last at the end
}

// keptPlan is a plan that many read and nobody changes.
type keptPlan struct {
	key  string
	plan payload.Plan
	rows dense.Rows
}

var traceSeed = maphash.MakeSeed()

// plan returns the plan of a filter, which must not be changed if rows come with it, and else is the caller's. make makes
// one of the moment, which is now. A filter without a key is none that can come again.
func (p *plans) plan(key string, moment uint64, make func() payload.Plan) (payload.Plan, *dense.Rows) {
	if key == "" {
		return make(), nil
	}
	k, again := p.find(key, moment)
	if k != nil {
		return k.plan, &k.rows
	}
	plan := make()
	if !again || plan.Lower.GetCardinality() < p.least {
		return plan, nil
	}
	k = &keptPlan{key: key, plan: plan}
	p.keep(k, moment)
	return k.plan, &k.rows
}

// find returns what is kept of a filter, or else whether it was sought before.
func (p *plans) find(key string, moment uint64) (k *keptPlan, again bool) {
	trace := maphash.String(traceSeed, key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moment != moment {
		p.moment, p.kept, p.traces = moment, nil, p.traces[:0]
	}
	if i := slices.IndexFunc(p.kept, func(k *keptPlan) bool { return k.key == key }); i >= 0 {
		k = p.kept[i]
		copy(p.kept[1:i+1], p.kept[:i]) // those used last come first
		p.kept[0] = k
		return k, true
	}
	if slices.Contains(p.traces, trace) {
		return nil, true
	}
	if len(p.traces) == mostTraces {
		p.traces = slices.Delete(p.traces, 0, 1)
	}
	p.traces = append(p.traces, trace)
	return nil, false
}

// keep keeps a plan of a moment, if that is still the last.
func (p *plans) keep(k *keptPlan, moment uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.moment != moment {
		return
	}
	if len(p.kept) == mostPlans {
		p.kept = p.kept[:mostPlans-1]
	}
	p.kept = slices.Insert(p.kept, 0, k)
}
