package overload_test

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/overload"
)

func TestGarbageGetsWhatOthersLeave(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		limit, others, live, want int64
		why                       string
	}{
		{1000, 0, 10, 900, "all but a tenth"},
		{1000, 600, 10, 300, "vectors lie outside"},
		{1000, 880, 40, 40 + 10 + 16, "nothing is left: what is alive must have room all the same"},
		{1000, -5, 10, 900, "two measurements of different moments"},
	} {
		if got := overload.GarbageLimit(c.limit*mib, c.others*mib, c.live*mib); got/mib != c.want {
			t.Errorf("%s: %d MiB, want %d", c.why, got/mib, c.want)
		}
	}
}
