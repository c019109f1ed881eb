package replication_test

import (
	"math/rand/v2"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// plan is the character of a walk: how large the shard is, how long the walk, how patient the replicas. Different walks find
// different faults.
type plan struct {
	options                  replication.Options
	replicas, spares, quorum int
	steps                    int
	deep                     bool // long
	unsafe                   bool // W = 1, and promotions with too few answers are made: writes may be lost
	lazy                     bool // replicas that are quiet are not ticked
	maxProposals, maxDown    int
	maxLog                   index
	maxAttempts              int
	tardy                    int // one in so many chances, a Raft leader acts on what has changed meanwhile
	first                    mood
	kinds                    []trouble // what episodes between may bring; none: there are none
}

// mood says what happens how often, and how unkind the network and the disks are.
type mood struct {
	loss, double, reorder  float64
	crashInside, staleView float64
	weights                [actions]int
	total                  int
}

// The kinds of steps.
const (
	actDeliver = iota
	actTake
	actPersist
	actApply
	actTick
	actPropose
	actDecide
	actLearn
	actRepropose
	actFence
	actPromote
	actCrash
	actRestart
	actCut
	actDeafen
	actUnlink
	actHeal
	actMend
	actAdmin
	actQuorum
	actRenew
	actUnreachable
	actRead
	actCompact
	actRebuild
	actFill
	actions
)

// trouble is what an episode of a deep walk is about.
type trouble int

const (
	crashes trouble = iota
	partitions
	losses
	slowMetadata
	fences
	admins
	givenUp
	slowDisks
	shortLogs
	staleReads
	deafPrimaries
	quorums
	lonely
	renewals
	troubles
)

// theme is what a narrow walk is about.
type theme int

const (
	anything theme = iota
	unknowing
	misled
	resizing
	lonesome
	hasty
	failing
	renewing
	themes
)

func (m mood) summed() mood {
	m.total = 0
	for _, x := range m.weights {
		m.total += x
	}
	return m
}

func newPlan(rng *rand.Rand, only theme) plan {
	pick := func(values ...int) int { return values[rng.IntN(len(values))] }
	p := plan{
		replicas: pick(3, 3, 3, 4, 5), spares: pick(0, 0, 1), deep: rng.IntN(5) < 3, unsafe: rng.IntN(10) == 0, lazy: rng.IntN(2) == 0,
		maxProposals: pick(1, 1, 3), maxLog: 60, maxAttempts: 60,
		tardy: pick(3, 20),
	}
	p.maxDown = pick(1, p.replicas)
	p.quorum = 1 + rng.IntN(p.replicas)
	if pick(0, 1, 2) > 0 {
		p.quorum = p.replicas/2 + 1
	}
	if p.unsafe {
		p.quorum = 1
	}
	p.options = replication.Options{
		MaxBatchBytes: pick(1, 16, 1000), MaxInflightBytes: pick(1, 64, 1000), MaxInflightEntries: pick(1, 8, 100),
		MaxPendingBytes: 400, MaxPendingEntries: 50,
		ResendTicks: pick(1, 2), DemoteTicks: pick(3, 5, 8), ProbeTicks: pick(1, 3), PromotionTicks: 2,
	}
	p.options.Charge = p.options.ResendTicks == 1
	switch kind := rng.IntN(10); {
	case only != 0:
		p.deep = false
		p.narrow(rng, only)
	case p.deep:
		p.deepen(rng)
	case kind < 5:
		p.flatten(rng)
	default:
		p.narrow(rng, theme(1+rng.IntN(int(themes)-1)))
	}
	p.first = p.first.summed()
	return p
}

// deepen makes it a long walk, in which the shard works most of the time.
func (p *plan) deepen(rng *rand.Rand) {
	pick := func(values ...int) int { return values[rng.IntN(len(values))] }
	p.steps, p.maxLog, p.maxAttempts = pick(1200, 2500, 4000), 500, 400
	p.kinds = []trouble{trouble(pick(int(crashes), int(partitions), int(fences)))}
	for range pick(1, 2, 3) { // some walks are about one thing, some about many
		p.kinds = append(p.kinds, trouble(rng.IntN(int(troubles))))
	}
	p.first = calm()
}

// calm is the mood of a shard that works: nothing breaks, and what is broken is mended soon.
func calm() mood {
	return mood{reorder: 0.05, weights: [actions]int{
		actDeliver: 80, actTake: 40, actPersist: 40, actApply: 10, actTick: 2, actPropose: 6, actDecide: 60, actLearn: 60, actRepropose: 40,
		actPromote: 60, actRestart: 10, actHeal: 3, actRead: 1, actCompact: 2, actRebuild: 10, actFill: 10,
	}}.summed()
}

// episode draws the mood of the trouble that comes next: one of the plan's kinds, or two at once, on top of the mood between.
func (p *plan) episode(rng *rand.Rand) mood {
	m := p.first
	for range 1 + rng.IntN(2) {
		m.trouble(p.kinds[rng.IntN(len(p.kinds))], rng)
	}
	return m.summed()
}

func (m *mood) trouble(kind trouble, rng *rand.Rand) {
	pick := func(values ...int) int { return values[rng.IntN(len(values))] }
	w := &m.weights
	switch kind {
	case crashes:
		w[actCrash], w[actRestart], m.crashInside = pick(1, 4), pick(1, 5), 0.05
	case partitions:
		w[actCut], w[actHeal], w[actRead], w[actFence] = pick(2, 6), pick(0, 2), 4, pick(0, 1)
	case losses:
		m.loss, m.double, m.reorder = []float64{0.1, 0.3, 0.6}[rng.IntN(3)], 0.1, 0.5
	case slowMetadata:
		w[actDecide], w[actLearn], w[actRepropose], m.staleView = pick(1, 4), pick(1, 4), 4, 0.6
	case fences:
		w[actFence], w[actPropose] = pick(2, 6), pick(2, 6)
	case admins:
		w[actAdmin] = 3
	case givenUp:
		w[actUnreachable], w[actTick] = pick(1, 4), 6
	case slowDisks:
		w[actPersist], w[actApply] = pick(2, 6), pick(1, 10)
	case shortLogs:
		w[actCompact], w[actUnreachable], w[actUnlink], w[actMend], w[actHeal] = 15, 4, 6, 1, 0
		w[actRebuild], w[actFill], w[actTick] = pick(4, 20), pick(4, 20), 6
	case staleReads:
		w[actRead], w[actCut], w[actHeal], w[actLearn] = 10, 2, 1, pick(3, 60)
	case deafPrimaries:
		w[actDeafen], w[actUnlink], w[actMend], w[actUnreachable], w[actHeal] = 2, 4, 6, 2, 0
	case quorums:
		w[actQuorum], w[actUnlink], w[actMend], w[actHeal] = 3, 4, 6, 0
	case lonely:
		w[actUnlink], w[actUnreachable], w[actMend], w[actHeal], w[actFence] = 4, 4, 1, 0, 0
	case renewals:
		w[actRenew], w[actUnreachable], w[actCompact], m.staleView = 4, 2, 10, 0.3
	}
}

// flatten makes it a short walk in one nasty mood.
func (p *plan) flatten(rng *rand.Rand) {
	pick := func(values ...int) int { return values[rng.IntN(len(values))] }
	some := func(values ...float64) float64 { return values[rng.IntN(len(values))] }
	p.steps = pick(400, 800, 1600)
	m := &p.first
	m.loss, m.double, m.reorder = some(0, 0, 0.05, 0.2), some(0, 0, 0.1), some(0, 0.1, 0.5)
	m.crashInside, m.staleView = some(0, 0.02, 0.1), some(0, 0.2, 0.6)
	m.weights = [actions]int{
		actDeliver: pick(40, 80), actTake: 40, actPersist: pick(10, 25, 40), actApply: pick(2, 10), actTick: pick(2, 4, 8),
		actPropose: pick(2, 6), actDecide: pick(6, 60), actLearn: pick(5, 60, 60), actRepropose: pick(5, 40),
		actPromote: pick(10, 60), actRestart: pick(2, 10), actHeal: pick(1, 3), actRead: pick(1, 4),
		actCompact: pick(0, 0, 2), actRebuild: 4, actFill: 4,
	}
	w := &m.weights
	switch rng.IntN(3) {
	case 0: // a little of everything
		w[actCrash], w[actCut], w[actFence] = pick(0, 1), pick(0, 1), pick(0, 1)
		w[actAdmin], w[actUnreachable] = pick(0, 1, 2), pick(0, 1)
	case 1: // primaries come and go
		w[actFence], w[actCrash], w[actPropose] = pick(1, 3), pick(0, 2), pick(1, 3)
		if pick(0, 1) == 0 { // small, one entry at a time, and nobody is given up: what a primary inherits spreads slowly
			p.replicas, p.quorum, p.spares, m.loss = 3, 2, 0, some(0.05, 0.15, 0.3)
			p.options.DemoteTicks, p.options.MaxInflightEntries = 1000, 1
		}
	case 2: // replicas come and go
		w[actUnreachable], w[actCut], w[actFence] = pick(1, 3), pick(0, 1), pick(1, 2)
		w[actAdmin] = pick(0, 2)
	}
}

// narrow makes it a short walk about changes of who counts, in which links break and mend one by one and a primary is often deaf to
// the metadata, so that what it does not know yet makes a difference.
func (p *plan) narrow(rng *rand.Rand, about theme) {
	pick := func(values ...int) int { return values[rng.IntN(len(values))] }
	p.steps, p.spares, p.maxDown, p.quorum = pick(400, 800), 0, 1, pick(2, 2, p.quorum)
	p.options.DemoteTicks, p.options.ResendTicks, p.options.ProbeTicks = pick(3, 3, 8), 1, 1
	p.options.MaxInflightEntries, p.options.MaxBatchBytes = pick(1, 8), pick(1, 16)
	m := &p.first
	m.reorder = 0.05
	m.weights = [actions]int{
		actDeliver: 80, actTake: 40, actPersist: 40, actApply: 5, actTick: pick(2, 6), actPropose: pick(4, 10), actDecide: 60, actLearn: pick(20, 60),
		actRepropose: 60, actPromote: 20, actRestart: 5, actFence: 1, actUnlink: pick(2, 6), actMend: pick(2, 6), actRebuild: 4, actFill: 4,
	}
	w := &m.weights
	switch about {
	case unknowing: // changes are decided, and the primary does not know
		p.replicas, p.quorum, p.options.ProbeTicks = pick(3, 4, 4, 5), pick(2, 2, p.quorum), pick(1, 6)
		w[actDeafen], w[actRead], w[actUnreachable], w[actFence] = 4, pick(4, 8), pick(1, 3), 4
		w[actUnlink], w[actMend], m.loss = pick(0, 2), pick(1, 4), []float64{0, 0.2}[rng.IntN(2)]
	case misled: // the old primary and one that was demoted know nothing of the others' new one
		p.replicas, p.quorum, p.options.ProbeTicks, m.loss = pick(4, 4, 5), 2, 6, 0.2
		w[actTick], w[actDeafen], w[actRead], w[actUnreachable], w[actFence], w[actUnlink], w[actMend] = 2, 6, 8, 3, 4, 3, 1
	case resizing: // W goes up and down
		p.replicas, p.quorum = pick(3, 3, 4), pick(1, 2)
		w[actQuorum], w[actDeafen], w[actPromote] = pick(2, 5), pick(0, 2), pick(3, 20)
	case lonesome: // few are left, and they come back slowly
		p.replicas, p.quorum, m.loss, p.kinds = 3, 2, 0.05, []trouble{lonely}
		w[actUnlink], w[actMend], w[actFence], w[actRenew], w[actPropose] = 0, 6, 5, pick(0, 4), 10
		p.options.MaxInflightEntries, p.options.MaxBatchBytes = 1, 1
	case hasty: // primaries come and go so fast that what they inherit spreads one entry at a time; nobody is given up
		p.replicas, p.quorum, m.loss = 3, 2, []float64{0.05, 0.15, 0.3}[rng.IntN(3)]
		w[actFence], w[actPropose], w[actPromote], w[actLearn] = pick(3, 6), 2, 60, 60
		w[actDeafen], w[actMend] = 6, 6
		p.options.DemoteTicks, p.options.MaxInflightEntries, p.options.MaxBatchBytes = 1000, 1, 1
	case failing: // disks are slow, and power fails while they write
		p.replicas, p.maxProposals = 3, 3
		w[actCrash], w[actRestart], w[actPersist], w[actPropose], w[actFence] = pick(2, 4), 20, 8, 20, pick(1, 3)
		w[actUnlink] = pick(0, 3)
	case renewing: // replicas are made anew, and Raft leaders act late
		p.replicas, p.quorum, p.spares, p.tardy = pick(3, 4), 2, pick(0, 1), 3
		w[actCompact], w[actRebuild], w[actFill] = pick(0, 10), 10, 10
		w[actPromote], w[actRenew], w[actUnreachable], w[actFence], m.staleView = 3, 6, pick(1, 4), 2, 0.3
	}
}
