package replication_test

import "github.com/ostraka/terraform-provider-ostraka/node/internal/replication"

// mutation is a fault on purpose: a rule out of force, or a driver, a Raft leader or metadata that break their contract. The zero
// mutation changes nothing.
type mutation struct {
	name   string
	waived replication.Rule
	bent   bend
	reads  bool   // it is reads that go wrong
	theme  theme  // it is looked for in walks of this kind alone, where it shows soonest; they are among those of a plain run
	within uint64 // walks that suffice to see it
}

// bend is a fault outside of the Core.
type bend int

const (
	straight         bend = iota
	forgetPromise         // a restart forgets what was promised
	forgetLed             // ... and what was led
	forgetEntry           // ... and the last entry
	primaryGoesOn         // a fenced primary leads on
	followersGoOn         // a fenced follower follows on
	sendEarly             // messages leave before what they promise is durable
	fewAnswers            // a promotion with one answer too few
	anyLog                // a promotion of whoever answered last
	longestLog            // a promotion of the longest log, whatever its last term
	unboundPromotion      // a promotion that the metadata takes at any version
	sameGeneration        // a replica made anew inherits what its predecessor acknowledged, and hears what it was sent
)

func mutations() []mutation {
	return []mutation{
		{name: "R1", theme: hasty, waived: replication.R1, within: 10000},
		{name: "R2", waived: replication.R2, within: 2000},
		{name: "R2 unknown stays unknown", theme: unknowing, waived: replication.R2Unknown, within: 10000},
		{name: "R3 demotion", theme: resizing, waived: replication.R3, within: 10000},
		{name: "R3 raised W", theme: resizing, waived: replication.R3Raise, within: 10000},
		{name: "R3 larger W first", theme: resizing, waived: replication.R3Use, within: 10000},
		{name: "R3 smaller W last", waived: replication.R3Lower, within: 10000},
		{name: "R4 whole log", theme: lonesome, waived: replication.R4, within: 10000},
		{name: "R4 decided", theme: unknowing, waived: replication.R4Known, within: 10000},
		{name: "R5", waived: replication.R5, within: 2000},
		{name: "R5 durable", theme: failing, bent: forgetPromise, within: 10000},
		{name: "R5 primary", bent: primaryGoesOn, within: 10000},
		{name: "R5 followers", bent: followersGoOn, within: 10000},
		{name: "R6 enough answers", bent: fewAnswers, within: 10000},
		{name: "R6 last term and index", bent: anyLog, within: 10000},
		{name: "R6 last term", theme: hasty, bent: longestLog, within: 10000},
		{name: "R6 version", theme: resizing, bent: unboundPromotion, within: 10000},
		{name: "R7", waived: replication.R7, within: 2000},
		{name: "R7 durable", bent: forgetLed, within: 10000},
		{name: "R7 first", theme: failing, waived: replication.R7First, within: 10000},
		{name: "durable before sent", theme: failing, bent: sendEarly, within: 10000},
		{name: "durable", bent: forgetEntry, within: 10000},
		{name: "generations", theme: lonesome, bent: sameGeneration, within: 10000},
		{name: "L1", theme: unknowing, waived: replication.L1 | replication.L1Change, reads: true, within: 10000},
		{name: "L1 enough", theme: unknowing, waived: replication.L1, reads: true, within: 10000},
		{name: "L1 change", theme: misled, waived: replication.L1Change, reads: true, within: 10000},
		{name: "L2", theme: unknowing, waived: replication.L2, reads: true, within: 10000},
	}
}
