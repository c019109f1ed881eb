package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// story runs one scripted test on a cluster in a bubble of its own, all nodes up and the collections made.
func story(t *testing.T, size int, tell func(c *cluster)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := newTimeline()
		source := func() *rand.Rand { return rand.New(rand.NewPCG(uint64(size), 1)) }
		c := newCluster(t, source(), source(), line, size)
		defer func() {
			if t.Failed() {
				line.report(t, 0)
			}
		}()
		finished := make(chan struct{})
		go watch(finished, line)
		c.startAll()
		tell(c)
		c.close()
		close(finished)
		alone(line)
	})
}

// Raft's leader tries ever more rarely to reach a follower that does not answer; one that returns is found at once all the same.
func TestANodeThatWasAwayForLongKnowsTheMetadataAtOnce(t *testing.T) {
	story(t, 3, func(c *cluster) {
		var gone *machine
		for _, m := range c.machines {
			if !m.server.LeadsMetadata() {
				gone = m
			}
		}
		c.crash(false, gone)
		_ = pass(context.Background(), time.Minute)
		if err := gone.start(); err != nil {
			c.t.Fatal(err)
		}
		back := time.Now()
		_, ok := c.eventually(30*time.Second, "the node knows the metadata", func(context.Context) error {
			_, known := gone.server.Metadata()
			for _, m := range c.machines {
				if _, index := m.server.Metadata(); index > known {
					return fmt.Errorf("%s has applied %d, %s %d", gone.name, known, m.name, index)
				}
			}
			if known == 0 {
				return errors.New("it knows nothing")
			}
			return nil
		})
		if took := time.Since(back); !ok || took > 1500*time.Millisecond {
			c.t.Errorf("it took %s", took)
		}
	})
}
