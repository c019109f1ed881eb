package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A node that has just taken many writes holds memory that its garbage collector has freed and the system does not have
// back: it would be given back over minutes, or, without another collection, never. So once the node is at rest, which is
// when it hardly allocates, it gives back what is much.
const (
	trimEvery = 2 * time.Second
	restBytes = 4 << 20  // allocated between two looks by a node at rest
	muchBytes = 24 << 20 // free and not given back
)

// trim looks at the memory from time to time until the context ends.
func (s *Server) trim(ctx context.Context) {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	read := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	last := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(read)
		allocated, free, objects, live := read[0].Value.Uint64(), read[1].Value.Uint64(), read[2].Value.Uint64(), read[3].Value.Uint64()
		garbage := objects - min(objects, live) // an estimate: some of it is new and alive
		if allocated-last < restBytes && free+garbage > muchBytes {
			debug.FreeOSMemory()
			metrics.Read(read[:1])
			allocated = read[0].Value.Uint64()
		}
		last = allocated
	}
}
