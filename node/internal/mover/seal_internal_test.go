package mover

import (
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

func TestWhereShortSealsAreInVainLongerOnesFollow(t *testing.T) {
	for version, want := range map[uint64]time.Duration{
		2: 500 * time.Millisecond, 4: 500 * time.Millisecond, 8: 500 * time.Millisecond, 10: time.Second, 12: 2 * time.Second, 16: 8 * time.Second, 1 << 60: 8 * time.Second,
	} {
		m := &catalog.Move{Phase: catalog.Sealing, Version: version}
		if got := sealFor(500*time.Millisecond, m); got != want {
			t.Errorf("version %d: %s, want %s", version, got, want)
		}
		part := &catalog.Move{Phase: catalog.Ready, Version: min(2*version, 1<<60) + 1, Fill: 1}
		if got := sealFor(500*time.Millisecond, part); got != want {
			t.Errorf("part of a fill, version %d: %s, want %s", part.Version, got, want)
		}
	}
}
