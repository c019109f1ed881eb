package replication

// Quiet reports whether Tick would change nothing until something else happens, so that the driver of a thousand
// replicas may leave the idle ones alone: no replica owes an answer or is being filled or probed, and no promotion
// is wanted. A dead replica is probed unless nothing arrives there (Unreachable), so a peer that stays away costs nothing.
func (c *Core) Quiet() bool {
	if c.barred() {
		return false
	}
	if c.lead == nil {
		return true
	}
	if !c.leads() || c.lead.hold > 0 || c.confirming() {
		return false
	}
	for _, p := range c.lead.peers {
		if !p.parked() && (p.role != active || p.silent > 0 || c.owes(p)) {
			return false
		}
	}
	return true
}
