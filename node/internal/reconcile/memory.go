package reconcile

import (
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
)

// retry keeps a step that failed from being tried again at once.
type retry struct {
	since time.Time // of the first failure
	after time.Time
	delay time.Duration
}

const (
	minRetry = 50 * time.Millisecond
	maxRetry = 2 * time.Second
	patience = 30 // what is only for the sake of balance waits so many times as long
)

func (r *Runner) tooSoon(step Step) bool { return time.Now().Before(r.retries[step.key()].after) }

func (r *Runner) failed(step Step) {
	r.metrics.steps.WithLabelValues(step.Kind(), "failed").Inc()
	now, was := time.Now(), r.retries[step.key()]
	if was.since.IsZero() || now.Sub(was.after) > 2*maxRetry {
		was = retry{since: now, delay: minRetry / 2} // the first failure, or one long after
	}
	was.delay = min(2*was.delay, maxRetry)
	was.after = now.Add(was.delay)
	if step.Failover != nil && step.Failover.Balance {
		was.after = now.Add(patience * was.delay)
	}
	r.retries[step.key()] = was
}

// failingFor tells for how long a step has kept failing.
func (r *Runner) failingFor(step Step) time.Duration {
	was := r.retries[step.key()]
	if was.since.IsZero() {
		return 0
	}
	return time.Since(was.since)
}

func (r *Runner) notePromise(ref catalog.ShardRef, promised uint64) {
	if promised > 0 {
		r.promised[ref] = promised
	}
}

// life is since when a peer has answered, or not answered.
type life struct {
	alive bool
	since time.Time
}

// noteLives times who comes and goes.
func (r *Runner) noteLives(s *catalog.State) {
	r.lives.Lock()
	defer r.lives.Unlock()
	for id := range s.Peers {
		alive := r.opts.Liveness.Alive(id)
		if was, known := r.lives.of[id]; !known || was.alive != alive {
			r.lives.of[id] = life{alive: alive, since: time.Now()}
		}
	}
	for id := range r.lives.of {
		if _, ok := s.Peers[id]; !ok {
			delete(r.lives.of, id)
		}
	}
}

// Health tells how the peers do, as this node sees it. A node that has just started has seen nobody for long.
func (r *Runner) Health(s *catalog.State) map[catalog.PeerID]Health {
	r.lives.Lock()
	defer r.lives.Unlock()
	now, all := time.Now(), make(map[catalog.PeerID]Health, len(s.Peers))
	for id := range s.Peers {
		h := Health{Alive: r.opts.Liveness.Alive(id), Draining: r.opts.Liveness.Draining(id)}
		was := r.lives.of[id]
		switch {
		case was.since.IsZero() || was.alive != h.Alive:
			was.since = now
		case h.Alive:
			h.AliveFor = now.Sub(was.since)
		}
		if !h.Alive {
			h.DeadFor = deadFor(was.since, now)
		}
		if r.opts.Gauges != nil {
			h.DiskFree, h.DiskTotal = r.opts.Gauges.Disk(id)
			h.DiskFull = r.opts.Gauges.IsFull(id)
		}
		all[id] = h
	}
	return all
}

// observe gathers what Plan needs, and forgets what no longer matters.
func (r *Runner) observe(s *catalog.State) Observations {
	r.noteLives(s)
	o := Observations{Peers: r.Health(s), Wishes: r.currentWishes(s), Moves: r.currentMoves(s), Promised: r.promised}
	if r.opts.Gauges != nil {
		o.Bytes = r.opts.Gauges.Bytes()
	}
	now := time.Now()
	if voters := r.opts.Members.Voters(); len(voters) > 0 {
		o.Voters = voters
	}
	for key, was := range r.retries {
		if now.Sub(was.after) > time.Minute {
			delete(r.retries, key)
		}
	}
	for ref, term := range r.promised {
		if _, sh, ok := s.Shard(ref); !ok || sh.Term >= term {
			delete(r.promised, ref)
		}
	}
	return o
}

func (r *Runner) currentWishes(s *catalog.State) map[catalog.ShardRef]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	wishes := map[catalog.ShardRef]uint64{}
	for ref, w := range r.mu.wishes {
		_, sh, ok := s.Shard(ref)
		if time.Since(w.at) > wishLife || ok && sh.Term > w.term {
			delete(r.mu.wishes, ref)
			continue
		}
		wishes[ref] = w.term
	}
	return wishes
}

func (r *Runner) currentMoves(s *catalog.State) map[catalog.ShardRef]catalog.PeerID {
	r.mu.Lock()
	defer r.mu.Unlock()
	moves := map[catalog.ShardRef]catalog.PeerID{}
	for ref, m := range r.mu.moves {
		_, sh, ok := s.Shard(ref)
		if time.Since(m.at) > wishLife || !ok || sh.Primary != m.from {
			delete(r.mu.moves, ref)
			continue
		}
		moves[ref] = m.from
	}
	return moves
}
