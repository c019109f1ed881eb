package replica

import (
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
)

// Which values get graphs follows from payload_m, m and what indexes say; nobody gets any unasked.
func TestWhichValuesHaveGraphs(t *testing.T) {
	yes, no := true, false
	c := &catalog.Collection{PayloadSchema: map[string]catalog.FieldIndex{
		"a": {Type: catalog.KeywordField}, "b": {Type: catalog.BoolField}, "f": {Type: catalog.FloatField},
		"i": {Type: catalog.IntegerField, Params: &catalog.FieldParams{Lookup: &no}}, "j": {Type: catalog.IntegerField},
		"k": {Type: catalog.KeywordField, Params: &catalog.FieldParams{EnableHNSW: &no, IsTenant: &yes}},
		"t": {Type: catalog.KeywordField, Params: &catalog.FieldParams{IsTenant: &yes}},
		"u": {Type: catalog.UUIDField, Params: &catalog.FieldParams{IsTenant: &yes, EnableHNSW: &yes}},
		"w": {Type: catalog.UUIDField, Params: &catalog.FieldParams{IsTenant: &no}}, "x": {Type: catalog.TextField},
	}}
	if paths, tenants := valuesOf(c); !slices.Equal(paths, []string{"t", "u", "a", "b", "j", "w"}) || tenants != 2 {
		t.Errorf("%v, of which %d tell tenants apart", paths, tenants)
	}
	schema := shard.Schema{Values: []string{"t", "a"}, Tenants: 1}
	n := func(n uint64) *uint64 { return &n }
	for _, c := range []struct {
		m        uint64
		payloadM *uint64
		links    int
		all      bool
	}{
		{16, nil, 16, false}, {16, n(16), 16, false}, {16, n(8), 8, true}, {16, n(0), 0, true}, {0, n(16), 16, true}, {0, nil, 0, false},
	} {
		h := catalog.HNSW{M: c.m, PayloadM: c.payloadM}
		if links, all := graphsOfValues(h, &schema); links != c.links || all != c.all {
			t.Errorf("%+v: %d links, all %v", c, links, all)
		}
		if links, _ := graphsOfValues(h, &shard.Schema{Values: []string{"a"}}); c.all && links != c.links || !c.all && links != 0 {
			t.Errorf("%+v, no tenants: %d links", c, links)
		}
		if links, all := graphsOfValues(h, &shard.Schema{}); links != 0 || all {
			t.Errorf("%+v, no values: %d links", c, links)
		}
	}
}
