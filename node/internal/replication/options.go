package replication

// Options bound what a Core holds and say how patient it is. A zero field takes its default. A tick is as
// long as the driver makes it; the defaults suit 100 ms.
type Options struct {
	// MaxBatchBytes bounds the data in one MsgAppend (an entry that is larger by itself goes alone). 1 MiB.
	MaxBatchBytes int
	// MaxInflightBytes bounds what is sent to one replica and not yet acknowledged. 8 MiB.
	MaxInflightBytes int
	// MaxInflightEntries bounds the same in entries. 4096.
	MaxInflightEntries int
	// Charge has what partial replicas have missed charged for (Ready.Charges): the driver spreads it over time.
	Charge bool
	// MaxPendingBytes bounds what is proposed and not yet committed; beyond it Propose refuses. 64 MiB.
	MaxPendingBytes int
	// MaxPendingEntries bounds the same in entries. 16384.
	MaxPendingEntries int
	// ResendTicks is how long an append may go unanswered before it is sent again. 3.
	ResendTicks int
	// DemoteTicks is how long a replica may be silent, while it owes an answer, before it is demoted. 20.
	DemoteTicks int
	// ProbeTicks is the time between two probes of a dead replica. 10.
	ProbeTicks int
	// PromotionTicks is the time between two reports of WantPromotion. 10.
	PromotionTicks int
}

// withDefaults returns o with its zero (or negative) fields filled in.
func (o Options) withDefaults() Options {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&o.MaxBatchBytes, 1 << 20},
		{&o.MaxInflightBytes, 8 << 20},
		{&o.MaxInflightEntries, 4096},
		{&o.MaxPendingBytes, 64 << 20},
		{&o.MaxPendingEntries, 16384},
		{&o.ResendTicks, 3},
		{&o.DemoteTicks, 20},
		{&o.ProbeTicks, 10},
		{&o.PromotionTicks, 10},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return o
}
