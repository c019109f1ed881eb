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
)

// registers are points that several clients write and read at once. Each is used for a while only: a history that is
// checked for linearizability has to be short, as every write with an unknown outcome doubles the work.
type registers struct {
	*load
	name string
	mu   struct {
		sync.Mutex
		histories map[uint64][]porcupine.Operation
		next      int64 // a value that nobody has written
	}
}

const (
	registersAtOnce = 4
	registerLife    = 8 * time.Second
)

// access is the input of an operation on a register.
type access struct {
	write bool
	value int64 // what is written
}

// registerModel is one register: a read returns what was written last.
var registerModel = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		if a := input.(access); a.write {
			return true, a.value
		}
		return output.(int64) == state.(int64), state
	},
	DescribeOperation: func(input, output any) string {
		if a := input.(access); a.write {
			return fmt.Sprintf("write %d", a.value)
		}
		return fmt.Sprintf("read %d", output)
	},
}

func newRegisters(l *load, name string) *registers {
	r := &registers{load: l, name: name}
	r.mu.histories = map[uint64][]porcupine.Operation{}
	return r
}

func (r *registers) note(key uint64, op porcupine.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.histories[key] = append(r.mu.histories[key], op)
}

func (r *registers) fresh() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.next++
	return r.mu.next
}

// run is one client.
func (r *registers) run(ctx context.Context, client int) {
	every(ctx, 80*time.Millisecond, func() {
		key := uint64(time.Since(r.began)/registerLife)*registersAtOnce + rand.Uint64N(registersAtOnce) + 1
		if rand.IntN(2) == 0 {
			r.write(ctx, client, key)
		} else if r.strong {
			r.read(ctx, client, key)
		}
	})
}

func (r *registers) write(ctx context.Context, client int, key uint64) {
	op, value := r.name+" write", r.fresh()
	n := r.pick(op)
	if n == nil {
		return
	}
	call := r.now()
	o, _ := r.call(ctx, op, func(ctx context.Context) error {
		return upsert(ctx, n, r.name, key, map[string]any{"v": value})
	})
	ret := r.now()
	switch o {
	case refused:
		return // if it is read all the same, no write explains the read
	case unknown:
		ret = math.MaxInt64
	}
	r.note(key, porcupine.Operation{ClientId: client, Input: access{true, value}, Call: call, Return: ret, Metadata: n.name})
}

func (r *registers) read(ctx context.Context, client int, key uint64) {
	op := r.name + " strong read"
	n := r.pick(op)
	if n == nil {
		return
	}
	call := r.now()
	var value int64
	o, _ := r.call(linearizable(ctx), op, func(ctx context.Context) (err error) {
		value, err = get(ctx, n, r.name, key)
		return err
	})
	if o == done {
		r.note(key, porcupine.Operation{ClientId: client, Input: access{}, Output: value, Call: call, Return: r.now(), Metadata: n.name})
	}
}

// finish notes what a node shows in the end, as reads of a client that nobody else is.
func (r *registers) finish(client int, call int64, seen contents) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ret := r.now()
	for key := range r.mu.histories {
		r.mu.histories[key] = append(r.mu.histories[key], porcupine.Operation{
			ClientId: client, Input: access{}, Output: seen[key].value, Call: call, Return: ret, Metadata: "at rest",
		})
	}
}

// pruned leaves out writes with an unknown outcome that nobody has seen: the rest has an explanation with them if, and
// only if, it has one without.
func pruned(history []porcupine.Operation) []porcupine.Operation {
	seen := map[int64]bool{}
	for _, op := range history {
		if v, read := op.Output.(int64); read {
			seen[v] = true
		}
	}
	var kept []porcupine.Operation
	for _, op := range history {
		if a := op.Input.(access); !a.write || op.Return != math.MaxInt64 || seen[a.value] {
			kept = append(kept, op)
		}
	}
	return kept
}

// check holds every register's history against the model. A picture of what cannot be explained is put beside the logs.
func (r *registers) check(t *testing.T, dir string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	operations, undecided := 0, 0
	for key, history := range r.mu.histories {
		history = pruned(history)
		operations += len(history)
		result, info := porcupine.CheckOperationsVerbose(registerModel, history, 30*time.Second)
		switch result {
		case porcupine.Illegal:
			picture := fmt.Sprintf("%s/%s-%d.html", dir, r.name, key)
			t.Errorf("%s: the history of point %d is not linearizable; see %s (%v)", r.name, key, picture,
				porcupine.VisualizePath(registerModel, info, picture))
		case porcupine.Unknown:
			undecided++
		}
	}
	t.Logf("%s: %d registers, %d operations checked for linearizability, %d registers undecided in time", r.name, len(r.mu.histories), operations, undecided)
}

func TestCheckerRefusesWhatNoRegisterDoes(t *testing.T) {
	write := func(value, call, ret int64) porcupine.Operation {
		return porcupine.Operation{Input: access{true, value}, Call: call, Return: ret}
	}
	read := func(value, call, ret int64) porcupine.Operation {
		return porcupine.Operation{Input: access{}, Output: value, Call: call, Return: ret}
	}
	never := int64(math.MaxInt64)
	for name, c := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"one after the other":                  {[]porcupine.Operation{write(1, 0, 1), read(1, 2, 3)}, true},
		"lost":                                 {[]porcupine.Operation{write(1, 0, 1), read(0, 2, 3)}, false},
		"stale":                                {[]porcupine.Operation{write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)}, false},
		"at the same time":                     {[]porcupine.Operation{write(1, 0, 9), read(0, 1, 2), read(1, 3, 4)}, true},
		"seen and then not":                    {[]porcupine.Operation{write(1, 0, 9), read(1, 1, 2), read(0, 3, 4)}, false},
		"unknown, never seen":                  {[]porcupine.Operation{write(1, 0, never), read(0, 1, 2)}, true},
		"unknown, seen late":                   {[]porcupine.Operation{write(1, 0, never), read(0, 1, 2), read(1, 5, 6)}, true},
		"unknown, seen and gone":               {[]porcupine.Operation{write(1, 0, never), read(1, 1, 2), read(0, 5, 6)}, false},
		"what was refused is there":            {[]porcupine.Operation{read(7, 1, 2)}, false},
		"two nodes differ in the end":          {[]porcupine.Operation{write(1, 0, 5), write(2, 0, 5), read(1, 6, 7), read(2, 6, 7), read(1, 8, 9)}, false},
		"unknown undone by one confirmed late": {[]porcupine.Operation{write(1, 0, never), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7)}, true},
	} {
		if got := porcupine.CheckOperations(registerModel, pruned(c.history)); got != c.want {
			t.Errorf("%s: linearizable is %t", name, got)
		}
	}
}
