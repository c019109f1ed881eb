//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ostraka/terraform-provider-ostraka/client/clusterpb"
)

// The kinds of change of the membership, for counting.
const (
	joins   kind = "join"
	drains  kind = "drain"
	removes kind = "remove"
	expels  kind = "remove-dead"
)

// members lets the spare node join, take over replicas, be drained or killed, be removed, and join again as a new peer, while all
// else goes on. When time is over, what has begun comes to its end.
type members struct {
	*workloads
	rnd *rand.Rand
	id  uint64 // of the spare node's peer
	// stay is how long the cluster is left alone between the changes.
	stay time.Duration
}

func (m *members) run(ctx context.Context) {
	for first := true; rest(ctx, m.pause(first)); first = false {
		if err := m.join(); err != nil {
			m.c.t.Errorf("%s joins: %v", m.c.spare.name, err)
			return
		}
		if !m.settle(ctx) || !rest(ctx, m.pause(false)) {
			return
		}
		if err := m.leave(ctx); err != nil {
			m.c.line.say("%s stays: %v", m.c.spare.name, err)
			return
		}
	}
}

func (m *members) pause(first bool) time.Duration {
	if first {
		return m.stay / 2
	}
	return m.stay/2 + time.Duration(m.rnd.Int64N(int64(m.stay)))
}

func (m *members) join() error {
	m.c.line.say("%s joins", m.c.spare.name)
	m.c.line.count(joins)
	return m.c.join()
}

// settle waits until the spare node is ready, so that it holds something when it goes.
func (m *members) settle(ctx context.Context) bool {
	return until(ctx, func() error {
		if err := m.c.spare.ready(ctx); err != nil {
			return err
		}
		got, err := clusterpb.NewClusterClient(m.c.spare.dial()).GetCluster(ctx, &clusterpb.GetClusterRequest{})
		m.id = got.GetAnsweringPeer()
		return err
	}) == nil
}

// leave takes the spare node out again: drained and then removed, or killed and then removed.
func (m *members) leave(ctx context.Context) error {
	spare := m.c.spare
	killed := m.rnd.IntN(3) == 0
	if killed {
		m.c.line.say("%s is killed, and is to be removed dead", spare.name)
		m.c.dead.Store(true)
		if err := spare.kill(); err != nil {
			return err
		}
	} else if err := m.drain(ctx); err != nil {
		return err
	}
	lost, err := m.remove(ctx)
	if err != nil && killed {
		m.c.line.say("%s is not removed, and starts again: %v", spare.name, err)
		err = errors.Join(err, spare.start(m.c.bin))
		m.c.dead.Store(false)
	}
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		m.c.t.Errorf("the removal of %s lost %v", spare.name, lost)
	}
	m.c.line.count(map[bool]kind{true: expels, false: removes}[killed])
	m.c.line.say("%s is removed", spare.name)
	return m.retire()
}

// drain makes everything move away from the spare node.
func (m *members) drain(ctx context.Context) error {
	m.c.line.say("%s is drained", m.c.spare.name)
	m.c.line.count(drains)
	draining, began := clusterpb.PeerState_PEER_STATE_DRAINING, time.Now()
	var op uint64
	err := m.eventually(ctx, func(ctx context.Context, cluster clusterpb.ClusterClient) error {
		resp, err := cluster.UpdatePeer(ctx, &clusterpb.UpdatePeerRequest{Peer: m.id, State: &draining})
		op = resp.GetOperation().GetId()
		return err
	})
	if err != nil {
		return err
	}
	err = m.eventually(ctx, func(ctx context.Context, cluster clusterpb.ClusterClient) error {
		got, err := cluster.ListOperations(ctx, &clusterpb.ListOperationsRequest{})
		if err != nil {
			return err
		}
		for _, o := range got.GetOperations() {
			if o.GetId() == op && o.GetState() == clusterpb.OperationState_OPERATION_STATE_RUNNING {
				return fmt.Errorf("the drain goes on: %s", o.GetProblem())
			}
		}
		return nil
	})
	if err == nil {
		m.c.line.say("%s is drained after %.1fs", m.c.spare.name, time.Since(began).Seconds())
	}
	return err
}

// remove ends the spare node's membership. Its process ends by itself.
func (m *members) remove(ctx context.Context) ([]string, error) {
	spare := m.c.spare
	spare.process.wanted.Store(true)
	var lost []string
	err := m.eventually(ctx, func(ctx context.Context, cluster clusterpb.ClusterClient) error {
		resp, err := cluster.RemovePeer(ctx, &clusterpb.RemovePeerRequest{Peer: m.id})
		lost = append(lost, resp.GetLost()...)
		if isCode(err, codes.NotFound) { // by an attempt whose answer was lost
			return nil
		}
		return err
	})
	if err != nil {
		spare.process.wanted.Store(false)
		return lost, fmt.Errorf("remove %s: %w", spare.name, err)
	}
	return lost, nil
}

// retire waits for the end of a removed node's process and empties its disk.
func (m *members) retire() error {
	spare := m.c.spare
	m.c.joined.Store(false)
	m.c.dead.Store(false)
	timer := time.NewTimer(endsWithin)
	defer timer.Stop()
	select {
	case <-spare.process.done:
	case <-timer.C:
		m.c.t.Errorf("%s was removed, and has not ended by itself within %s", spare.name, endsWithin)
		if err := spare.kill(); err != nil {
			return err
		}
	}
	return os.RemoveAll(spare.dir)
}

// eventually tries through one node after the other, also when time is over, but then not for long.
func (m *members) eventually(ctx context.Context, f func(context.Context, clusterpb.ClusterClient) error) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), atRestWithin)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(atRestWithin/3, cancel)
	})
	defer stop()
	at := 0
	return until(bounded, func() error {
		at++
		n := m.c.nodes[at%len(m.c.nodes)]
		if !n.reachable() {
			return fmt.Errorf("%s is not reachable", n.name)
		}
		once, done := context.WithTimeout(bounded, 5*time.Second)
		defer done()
		return f(once, clusterpb.NewClusterClient(n.dial()))
	})
}
