package overload

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Go's collector knows of a process's memory only what it manages itself. Vectors, codes and links lie outside, and so does what
// the store keeps: what it may take is what they leave.
const (
	garbageEvery = time.Second
	garbageLeast = 16 << 20 // beside what is alive and a quarter more: with less it would do nothing but collect
	garbageStep  = 4 << 20  // a change of less is not worth stopping everything for a moment
)

// LimitGarbage has Go's collector keep this process below a limit as long as the context lasts, whatever else the process takes. 0 is
// no limit.
func LimitGarbage(ctx context.Context, limit int64) {
	if limit <= 0 {
		return
	}
	ticker := time.NewTicker(garbageEvery)
	defer ticker.Stop()
	told := int64(0)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		metrics.Read(live)
		if now := garbageLimit(limit, ownBytes()-goBytes(), int64(live[0].Value.Uint64())); max(now-told, told-now) >= garbageStep {
			debug.SetMemoryLimit(now)
			told = now
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// garbageLimit is what Go may take, a tenth of the limit being left free, when others take some and so much of Go's is alive.
func garbageLimit(limit, others, live int64) int64 {
	return max(limit/10*9-max(others, 0), live+live/4+garbageLeast)
}
