package session

import (
	"context"
	"sync"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

const (
	// singly is how many placements are asked for one by one before all are asked for at once: a configuration of a thousand
	// collections must not ask a thousand times in one plan.
	singly = 8
	// placementsKeep is how long what was said of all collections counts as seen now, and placementsShare how many times as long as it
	// took to ask, if that is longer: to ask is to take a small part of a plan's time.
	placementsKeep  = 5 * time.Second
	placementsShare = 20
)

// placements is what the cluster said of all collections.
type placements struct {
	sync.Mutex
	asked int
	until time.Time // counts as seen now
	all   map[string]client.CollectionPlacement
}

// Placement returns where a collection is, as seen within the last seconds: for plans, not for waiting. False: there is none
// of that name.
func (d *Data) Placement(ctx context.Context, name string) (client.CollectionPlacement, bool, error) {
	p := &d.placements
	p.Lock()
	defer p.Unlock() // held while asking, so that all who want to know wait for one answer
	if p.asked++; p.asked <= singly {
		found, err := d.Client.Placement(ctx, name)
		if err != nil || len(found) != 1 {
			return client.CollectionPlacement{}, false, err
		}
		return found[0], true, nil
	}
	if began := time.Now(); began.After(p.until) {
		found, err := d.Client.Placement(ctx)
		if err != nil {
			return client.CollectionPlacement{}, false, err
		}
		p.all, p.until = make(map[string]client.CollectionPlacement, len(found)), time.Now().Add(max(placementsKeep, placementsShare*time.Since(began)))
		for _, one := range found {
			p.all[one.Collection] = one
		}
	}
	one, ok := p.all[name]
	return one, ok, nil
}
