package mover

import (
	"testing"
	"time"
)

func TestWhereShortSealsAreInVainLongerOnesFollow(t *testing.T) {
	for version, want := range map[uint64]time.Duration{
		2: 500 * time.Millisecond, 4: 500 * time.Millisecond, 8: 500 * time.Millisecond, 10: time.Second, 12: 2 * time.Second, 16: 8 * time.Second, 1 << 60: 8 * time.Second,
	} {
		if got := sealFor(500*time.Millisecond, version); got != want {
			t.Errorf("version %d: %s, want %s", version, got, want)
		}
	}
}
