//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
)

// presence is what has to be true of a point in the end.
type presence int

const (
	eitherWay presence = iota
	present
	absent
)

// set is a collection to which clients add points with ids that nobody else uses, and some take them away again by a
// filter.
type set struct {
	*load
	name string
	mu   struct {
		sync.Mutex
		want map[uint64]presence
		next uint64
	}
}

func newSet(l *load, name string) *set {
	s := &set{load: l, name: name}
	s.mu.want = map[uint64]presence{}
	return s
}

func (s *set) fresh() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.next++
	return s.mu.next
}

func (s *set) expect(p presence, ids ...uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.mu.want[id] = p
	}
}

// insert adds one point and returns its id; what is expected of it follows from the outcome.
func (s *set) insert(ctx context.Context, tag string, keep bool) (id uint64, o outcome) {
	op := s.name + " insert"
	n := s.pick(op)
	if n == nil {
		return 0, refused
	}
	id = s.fresh()
	o, _ = s.call(ctx, op, func(ctx context.Context) error {
		return upsert(ctx, n, s.name, id, map[string]any{"v": int64(id), "tag": tag, "keep": keep})
	})
	s.expect(map[outcome]presence{done: present, refused: absent, unknown: eitherWay}[o], id)
	return id, o
}

// grow is a client that only adds, and looks at the whole now and then.
func (s *set) grow(ctx context.Context) {
	every(ctx, 60*time.Millisecond, func() { s.insert(ctx, "", true) })
}

// look scrolls and counts, which has to work on what is there, whatever else happens.
func (s *set) look(ctx context.Context) {
	every(ctx, 3*time.Second, func() {
		op := s.name + " scroll"
		if n := s.pick(op); n != nil {
			_, err := s.call(ctx, op, func(ctx context.Context) error {
				_, err := scrollAll(ctx, n, s.name)
				return err
			})
			if isDamage(err) {
				s.c.t.Errorf("scroll through %s: %v", n.name, err)
			}
		}
		op = s.name + " count"
		if n := s.pick(op); n != nil {
			_, _ = s.call(ctx, op, func(ctx context.Context) error {
				_, err := countAll(ctx, n, s.name)
				return err
			})
		}
	})
}

// erase is a client that adds a few points under a tag of their own and then deletes those of them that are not to be
// kept by one filter. It uses no tag again: a delete with an unknown outcome may come late.
func (s *set) erase(ctx context.Context, client int) {
	batch := 0
	every(ctx, 400*time.Millisecond, func() {
		batch++
		tag := fmt.Sprintf("%d-%d", client, batch)
		var doomed []uint64 // whose being there is certain
		for i := range 4 {
			keep := i%2 == 0
			if id, o := s.insert(ctx, tag, keep); o == done && !keep {
				doomed = append(doomed, id)
			}
		}
		op := s.name + " delete by filter"
		n := s.pick(op)
		if n == nil {
			return
		}
		_, err := s.call(ctx, op, func(ctx context.Context) error { return deleteTagged(ctx, n, s.name, tag) })
		if err != nil {
			s.expect(eitherWay, doomed...) // some shards may have done it, whatever the error of the others says
			return
		}
		s.expect(absent, doomed...)
	})
}

func deleteTagged(ctx context.Context, n *node, name, tag string) error {
	wait := true
	_, err := qdrant.NewPointsClient(n.dial()).Delete(ctx, &qdrant.DeletePoints{
		CollectionName: name, Wait: &wait,
		Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{
			qdrant.NewMatchKeyword("tag", tag), qdrant.NewMatchBool("keep", false),
		}}),
	})
	return err
}

// check holds what one node shows against what was confirmed to clients. It returns how many points had to be there.
func (s *set) check(t *testing.T, n *node, got contents) int {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	lost, undead, demanded := wrong(s.mu.want, got)
	if len(lost) > 0 {
		t.Errorf("%s does not show %d points of %s that were confirmed, such as %d", n.name, len(lost), s.name, lost[0])
	}
	if len(undead) > 0 {
		t.Errorf("%s shows %d points of %s whose deletion was confirmed or whose writing was refused, such as %d", n.name, len(undead), s.name, undead[0])
	}
	for id, p := range got {
		if p.value != int64(id) {
			t.Errorf("%s shows point %d of %s with the payload of %d", n.name, id, s.name, p.value)
		}
	}
	return demanded
}

// wrong returns the points that are missing and those that should be, and how many had to be there.
func wrong(want map[uint64]presence, got contents) (lost, undead []uint64, demanded int) {
	for id, p := range want {
		_, there := got[id]
		switch {
		case p == present && !there:
			lost = append(lost, id)
		case p == absent && there:
			undead = append(undead, id)
		}
		if p == present {
			demanded++
		}
	}
	for id := range got {
		if _, known := want[id]; !known {
			undead = append(undead, id)
		}
	}
	return lost, undead, demanded
}

func TestCheckerFindsWhatIsMissingAndWhatShouldBe(t *testing.T) {
	want := map[uint64]presence{1: present, 2: present, 3: absent, 4: eitherWay, 5: eitherWay, 6: absent}
	lost, undead, demanded := wrong(want, contents{1: {}, 3: {}, 4: {}, 9: {}})
	if len(lost) != 1 || lost[0] != 2 || len(undead) != 2 || demanded != 2 {
		t.Errorf("missing %v, undead %v, %d demanded", lost, undead, demanded)
	}
}
