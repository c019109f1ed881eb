package filter_test

import (
	"reflect"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
)

func TestRenamedChangesNamesOfVectorsWhereverTheyStand(t *testing.T) {
	has := func(name string) filter.Condition { return filter.Condition{HasVector: &name} }
	key := "k"
	of := func(name string) *filter.Filter {
		return &filter.Filter{
			Must:    []filter.Condition{{IsNull: &key}, has(name), has("b")},
			MustNot: []filter.Condition{{Filter: &filter.Filter{Should: []filter.Condition{has(name)}}}},
			Should:  []filter.Condition{{Filter: &filter.Filter{MinShould: &filter.MinShould{Conditions: []filter.Condition{has(name), has(name)}, Count: 1}}}},
		}
	}
	f := of("a")
	got := f.Renamed(func(name string) string { return map[string]string{"a": "x", "b": "b"}[name] })
	if !reflect.DeepEqual(got, of("x")) || !reflect.DeepEqual(f, of("a")) {
		t.Errorf("%v became %v", f, got)
	}
	same := func(name string) string { return name }
	if f.Renamed(same) != f || (*filter.Filter)(nil).Renamed(same) != nil {
		t.Error("what stays the same is another filter")
	}
}
