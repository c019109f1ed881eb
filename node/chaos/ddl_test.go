//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// names are collections that clients create and delete under the same few names at once. A name serves for a while
// only, and is then deleted.
type names struct {
	*load
	mu struct {
		sync.Mutex
		histories map[string][]porcupine.Operation
	}
}

const (
	namesAtOnce = 2
	nameLife    = 10 * time.Second
)

// verb is the input of an operation on a name.
type verb int

const (
	creating verb = iota
	deleting
	looking
)

// answer is its output: was the name there when the operation took effect?
type answer int

const (
	wasAbsent answer = iota
	wasThere
	nobodyKnows // and whether it took effect is not known either
)

// nameModel is one name: creating wants it to be absent, deleting tells whether it was there.
var nameModel = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{false} },
	Step: func(state, input, output any) []any {
		there := state.(bool)
		after := there
		switch input.(verb) {
		case creating:
			after = true
		case deleting:
			after = false
		}
		switch output.(answer) {
		case nobodyKnows:
			return []any{there, after}
		case wasThere:
			if there {
				return []any{after}
			}
		case wasAbsent:
			if !there {
				return []any{after}
			}
		}
		return nil
	},
	DescribeOperation: func(input, output any) string {
		return [...]string{"create", "delete", "look"}[input.(verb)] + ": " + [...]string{"was absent", "was there", "unknown"}[output.(answer)]
	},
}).ToModel()

func newNames(l *load) *names {
	n := &names{load: l}
	n.mu.histories = map[string][]porcupine.Operation{}
	return n
}

func (n *names) note(name string, op porcupine.Operation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.histories[name] = append(n.mu.histories[name], op)
}

func nameOf(epoch, i int) string { return fmt.Sprintf("name-%d-%d", epoch, i) }

// run is one client; the first one also deletes the names whose time is over.
func (n *names) run(ctx context.Context, client int) {
	last := 0
	every(ctx, time.Second, func() {
		epoch := int(time.Since(n.began) / nameLife)
		if client == 0 && epoch > last {
			for i := range namesAtOnce {
				n.act(ctx, client, deleting, nameOf(last, i))
			}
			last = epoch
		}
		n.act(ctx, client, verb(rand.IntN(2)), nameOf(epoch, rand.IntN(namesAtOnce)))
	})
}

// act makes one operation and notes what it tells about the name.
func (n *names) act(ctx context.Context, client int, v verb, name string) {
	op := "collection " + [...]string{"create", "delete"}[v]
	at := n.pick(op)
	if at == nil {
		return
	}
	call := n.now()
	result, existed := wasAbsent, false
	o, err := n.call(ctx, op, func(ctx context.Context) (err error) {
		if v == creating {
			err = create(ctx, at, name, 1, uint32(len(n.c.nodes)), 2)
			existed = isCode(err, codes.AlreadyExists)
			if existed {
				return nil
			}
			return err
		}
		resp, err := qdrant.NewCollectionsClient(at.dial()).Delete(ctx, &qdrant.DeleteCollection{CollectionName: name})
		existed = resp.GetResult()
		return err
	})
	ret := n.now()
	switch {
	case o == refused:
		return
	case err != nil:
		result, ret = nobodyKnows, math.MaxInt64
	case existed:
		result = wasThere
	}
	n.note(name, porcupine.Operation{ClientId: client, Input: v, Output: result, Call: call, Return: ret, Metadata: at.name})
}

// finish notes which names a node shows in the end. What a node shows before may be older than what another one
// does, so it is no part of one order.
func (n *names) finish(client int, call int64, seen map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ret := n.now()
	for name := range n.mu.histories {
		result := wasAbsent
		if seen[name] {
			result = wasThere
		}
		n.mu.histories[name] = append(n.mu.histories[name], porcupine.Operation{
			ClientId: client, Input: looking, Output: result, Call: call, Return: ret, Metadata: "at rest",
		})
	}
}

// check holds every name's history against the model.
func (n *names) check(t *testing.T, dir string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	operations, undecided := 0, 0
	for name, history := range n.mu.histories {
		operations += len(history)
		result, info := porcupine.CheckOperationsVerbose(nameModel, history, 30*time.Second)
		switch result {
		case porcupine.Illegal:
			picture := dir + "/" + name + ".html"
			t.Errorf("the history of the collection %s is not linearizable; see %s (%v)", name, picture, porcupine.VisualizePath(nameModel, info, picture))
		case porcupine.Unknown:
			undecided++
		}
	}
	t.Logf("%d names, %d operations checked for linearizability, %d names undecided in time", len(n.mu.histories), operations, undecided)
}

// listed returns the collections that n shows.
func listed(ctx context.Context, n *node) (map[string]bool, error) {
	resp, err := qdrant.NewCollectionsClient(n.dial()).List(ctx, &qdrant.ListCollectionsRequest{})
	all := map[string]bool{}
	for _, c := range resp.GetCollections() {
		all[c.GetName()] = true
	}
	return all, err
}

func TestCheckerRefusesWhatNoNameDoes(t *testing.T) {
	op := func(v verb, a answer, call, ret int64) porcupine.Operation {
		return porcupine.Operation{Input: v, Output: a, Call: call, Return: ret}
	}
	never := int64(math.MaxInt64)
	for name, c := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"made and unmade":         {[]porcupine.Operation{op(creating, wasAbsent, 0, 1), op(creating, wasThere, 2, 3), op(deleting, wasThere, 4, 5)}, true},
		"made twice":              {[]porcupine.Operation{op(creating, wasAbsent, 0, 1), op(creating, wasAbsent, 2, 3)}, false},
		"unmade before made":      {[]porcupine.Operation{op(deleting, wasThere, 0, 1)}, false},
		"refused for no reason":   {[]porcupine.Operation{op(creating, wasThere, 0, 1)}, false},
		"an unknown one was made": {[]porcupine.Operation{op(creating, nobodyKnows, 0, never), op(creating, wasThere, 2, 3)}, true},
		"an unknown one was not":  {[]porcupine.Operation{op(creating, nobodyKnows, 0, never), op(creating, wasAbsent, 2, 3)}, true},
		"gone at rest":            {[]porcupine.Operation{op(creating, wasAbsent, 0, 1), op(looking, wasAbsent, 2, 3)}, false},
	} {
		if got := porcupine.CheckOperations(nameModel, c.history); got != c.want {
			t.Errorf("%s: linearizable is %t", name, got)
		}
	}
}
