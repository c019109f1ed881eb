package replica

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

func TestPlacesAreBoundedAndTheBoundChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p places
		if p.try() {
			t.Fatal("no place, yet somebody got in")
		}
		p.set(1)
		if !p.try() || p.try() {
			t.Fatal("one place is for one")
		}
		in := make(chan int, 3)
		for i := range 3 {
			go func() {
				if err := p.enter(t.Context()); err == nil {
					in <- i
				}
			}()
		}
		synctest.Wait()
		if len(in) != 0 {
			t.Fatal("somebody got in without a place")
		}
		p.set(3)
		synctest.Wait()
		if len(in) != 2 {
			t.Fatalf("%d got in, there were two places more", len(in))
		}
		p.set(1) // who is inside stays
		p.leave()
		p.leave()
		synctest.Wait()
		if len(in) != 2 {
			t.Fatalf("%d got in, there is one place, and it is taken", len(in))
		}
		p.leave()
		synctest.Wait()
		if len(in) != 3 {
			t.Fatalf("%d got in", len(in))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p.enter(ctx) == nil {
			t.Fatal("got in although nobody waits any more")
		}
	})
}

func TestLimitsFollowTheSettingsWhereNoneWereGiven(t *testing.T) {
	few, rate := uint32(5), uint64(1<<20)
	s := catalog.Settings{TransfersPerPeer: &few, TransferBytesPerSecond: &rate}
	if l := (TransferLimits{}).under(s); l.In != 5 || l.Out != 5 || l.BytesPerSecond != 1<<20 {
		t.Errorf("%+v", l)
	}
	if l := (TransferLimits{In: 1, BytesPerSecond: 7}).under(s); l.In != 1 || l.Out != 5 || l.BytesPerSecond != 7 {
		t.Errorf("%+v", l)
	}
}
