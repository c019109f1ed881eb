//go:build chaos

package chaos_test

import (
	"context"
	"math/rand/v2"
	"time"
)

// session is a client that stays with one node, writes one point over and over, and reads it at the default
// consistency through the same node: it must see its own writes as long as the node lives.
type session struct {
	*load
	name   string
	key    uint64
	values int64          // written so far, also without success
	late   map[int64]bool // values whose writing has an unknown outcome: they may come at any time
	newest int64          // read so far, through whichever node
}

func (s *session) run(ctx context.Context) {
	n, until := (*node)(nil), time.Time{}
	every(ctx, 120*time.Millisecond, func() {
		if n == nil || time.Now().After(until) {
			n, until = s.c.nodes[rand.IntN(len(s.c.nodes))], time.Now().Add(5*time.Second)
		}
		s.round(ctx, n)
	})
}

// round writes and reads through n. A node that restarted in between has forgotten the session: nothing follows.
func (s *session) round(ctx context.Context, n *node) {
	if !n.reachable() {
		s.fig.addUnsent(s.name + " own write")
		return
	}
	life := n.starts.Load()
	s.values++
	wrote := s.values
	o, _ := s.call(ctx, s.name+" own write", func(ctx context.Context) error {
		return upsert(ctx, n, s.name, s.key, map[string]any{"v": wrote})
	})
	if o == unknown {
		s.late[wrote] = true
	}
	if !n.reachable() {
		return
	}
	var got int64
	read, _ := s.call(ctx, s.name+" own read", func(ctx context.Context) (err error) {
		got, err = get(ctx, n, s.name, s.key)
		return err
	})
	if read != done || n.starts.Load() != life {
		return
	}
	if o == done && got < wrote && !s.late[got] {
		s.c.t.Errorf("%s: through %s, %d was written and then %d read", s.name, n.name, wrote, got)
		s.c.line.say("NOT READ ITS OWN WRITE: %s point %d through %s: wrote %d, read %d", s.name, s.key, n.name, wrote, got)
	}
	if got < s.newest {
		s.fig.addRegression(s.name + " own read")
	}
	s.newest = max(s.newest, got)
}
