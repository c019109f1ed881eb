//go:build chaos

package chaos_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/qdrant/go-client/qdrant"
)

// alias is a name that one client switches between collections: a register of three values, whose reads are what the
// node that made a change shows, and what all nodes show in the end.
type alias struct {
	*load
	name    string
	targets []string // value i+1 stands for targets[i], 0 for no alias
	history []porcupine.Operation
}

func (a *alias) run(ctx context.Context) {
	value := int64(0)
	every(ctx, time.Second, func() {
		value = (value + 1) % int64(len(a.targets)+1)
		at := a.pick("alias switch")
		if at == nil {
			return
		}
		call := a.now()
		o, _ := a.call(ctx, "alias switch", func(ctx context.Context) error { return a.point(ctx, at, value) })
		ret := a.now()
		switch o {
		case refused:
			return
		case unknown:
			ret = math.MaxInt64
		}
		a.history = append(a.history, porcupine.Operation{Input: access{true, value}, Call: call, Return: ret, Metadata: at.name})
	})
}

// point lets the alias stand for a value.
func (a *alias) point(ctx context.Context, at *node, value int64) error {
	action := qdrant.NewAliasDelete(a.name)
	if value > 0 {
		action = qdrant.NewAliasCreate(a.name, a.targets[value-1])
	}
	_, err := qdrant.NewCollectionsClient(at.dial()).UpdateAliases(ctx, &qdrant.ChangeAliases{Actions: []*qdrant.AliasOperations{action}})
	return err
}

// shownBy returns the value that n shows.
func (a *alias) shownBy(ctx context.Context, n *node) (int64, error) {
	resp, err := qdrant.NewCollectionsClient(n.dial()).ListAliases(ctx, &qdrant.ListAliasesRequest{})
	for _, d := range resp.GetAliases() {
		for i, target := range a.targets {
			if d.GetAliasName() == a.name && d.GetCollectionName() == target {
				return int64(i) + 1, nil
			}
		}
	}
	return 0, err
}

func (a *alias) finish(client int, call, value int64) {
	a.history = append(a.history, porcupine.Operation{ClientId: client, Input: access{}, Output: value, Call: call, Return: a.now(), Metadata: "at rest"})
}

func (a *alias) check(t *testing.T, dir string) {
	result, info := porcupine.CheckOperationsVerbose(registerModel, pruned(a.history), 30*time.Second)
	if result == porcupine.Illegal {
		picture := dir + "/alias.html"
		t.Errorf("the history of the alias is not linearizable; see %s (%v)", picture, porcupine.VisualizePath(registerModel, info, picture))
	}
}
