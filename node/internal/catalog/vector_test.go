package catalog_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

func TestVectorsAreComparedWithWhatIsDeclared(t *testing.T) {
	c := &catalog.Config{
		Vectors:       map[string]catalog.VectorParams{"": {Size: 2, Distance: vec.Dot}, "m": {Size: 2, Distance: vec.Dot, Multi: true}},
		SparseVectors: map[string]catalog.SparseParams{"s": {}},
	}
	for _, err := range []error{
		c.CheckDense("", []float32{1, 2}), c.CheckDense("m", []float32{1, 2}), c.CheckDense("m", make([]float32, 6)), c.CheckSparse("s"), c.CheckNames([]string{"", "m", "s"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for text, err := range map[string]error{
		"expected dim: 2, got 1":                               c.CheckDense("", []float32{1}),
		"expected dim: 2, got 3":                               c.CheckDense("m", make([]float32, 3)),
		"has no vectors":                                       c.CheckDense("m", nil),
		"at most 1048576":                                      c.CheckDense("m", make([]float32, catalog.MaxMulti+2)),
		"Not existing vector name error: x":                    c.CheckDense("x", nil),
		"Not existing vector name error: y":                    c.CheckSparse("y"),
		"Not existing vector name error: z":                    c.CheckNames([]string{"", "z"}),
		"Conversion between sparse and regular vectors failed": c.CheckSparse("m"),
	} {
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %s", err, text)
		}
	}
	if err := c.CheckDense("s", []float32{1}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

// A vector that is added to a collection is never taken for one of its name that was removed before.
func TestVectorsThatComeAndGoHaveNamesOfTheirOwnWithin(t *testing.T) {
	state, _ := catalog.Apply(catalog.Empty(), catalog.Command{Found: &catalog.Found{ClusterID: "c"}})
	state, _ = catalog.Apply(state, catalog.Command{RegisterPeer: &catalog.Peer{ID: 1, Name: "a", PeerAddr: "a:1"}})
	config := catalog.DefaultConfig()
	config.Vectors = map[string]catalog.VectorParams{"a": {Size: 2, Distance: vec.Dot}}
	config.ShardNumber = 1
	config, err := config.Normalized(1)
	if err != nil {
		t.Fatal(err)
	}
	state, r := catalog.Apply(state, catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "docs", Config: config, Placement: [][]catalog.PeerID{{1}}}})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	update := func(change func(*catalog.Config)) *catalog.Config {
		t.Helper()
		c := state.Collections[r.Collection]
		next := c.Config
		next.Vectors, next.SparseVectors = maps.Clone(next.Vectors), maps.Clone(next.SparseVectors)
		change(&next)
		var result catalog.Result
		state, result = catalog.Apply(state, catalog.Command{UpdateCollection: &catalog.UpdateCollection{Name: "docs", ID: c.ID, Base: c.Config, Config: next}})
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		return &state.Collections[r.Collection].Config
	}
	seen := map[string]bool{"a": true}
	fresh := func(c *catalog.Config, name string) {
		t.Helper()
		inner := c.Inner(name)
		if seen[inner] {
			t.Errorf("%q is within %q, as another was", name, inner)
		}
		seen[inner] = true
		if in, out := c.Inners(); in[name] != inner || out[inner] != name {
			t.Errorf("%v, %v", in, out)
		}
	}
	dense := catalog.VectorParams{Size: 2, Distance: vec.Dot}
	for range 3 {
		c := update(func(c *catalog.Config) { c.Vectors["b"] = dense })
		if fresh(c, "b"); c.Inner("a") != "a" {
			t.Errorf("%q", c.Inner("a"))
		}
		c = update(func(c *catalog.Config) {
			delete(c.Vectors, "b")
			c.SparseVectors = map[string]catalog.SparseParams{"b": {IDF: true}}
		})
		fresh(c, "b")
		kept := c.Inner("b")
		if c = update(func(c *catalog.Config) { c.OnDiskPayload = !c.OnDiskPayload }); c.Inner("b") != kept {
			t.Errorf("%q, was %q", c.Inner("b"), kept)
		}
		update(func(c *catalog.Config) { c.SparseVectors = nil })
	}
	update(func(c *catalog.Config) { delete(c.Vectors, "a") })
	c := update(func(c *catalog.Config) { c.Vectors["a"] = dense })
	if !c.Has("a") {
		t.Error("a is not there")
	}
	fresh(c, "a")

	decoded, err := catalog.DecodeState(catalog.EncodeState(state))
	if err != nil || decoded.Collections[r.Collection].NextVector != 7 || !decoded.Collections[r.Collection].Config.Equal(*c) {
		t.Errorf("%+v, %v", decoded, err)
	}
	config.Vectors = map[string]catalog.VectorParams{"\x001": dense}
	if _, err := config.Normalized(1); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
	config.Vectors = map[string]catalog.VectorParams{"a": {Size: 2, Distance: vec.Dot, Incarnation: 1}}
	if _, r := catalog.Apply(state, catalog.Command{CreateCollection: &catalog.CreateCollection{Name: "other", Config: config, Placement: [][]catalog.PeerID{{1}}}}); !fault.Is(r.Err, fault.Invalid) {
		t.Error(r.Err)
	}
}
