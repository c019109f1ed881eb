package dense_test

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// Numbers of links that no graph can have are as the nearest that one can.
func TestAnyDeclaredNumberOfLinksMakesAGraph(t *testing.T) {
	for _, m := range []int{1, 2, 512, 513, 2048} {
		config := graphConfig
		config.M, config.EfConstruct, config.IndexingBytes = m, 8, 1
		x := newIndex(t, dense.Options{Size: 2, Distance: vec.Euclid, Config: config})
		const count = 300
		for l := range uint32(count) {
			put(t, x, l, float32(l), 1)
		}
		x.Publish()
		settle(t, x)
		if st := x.Status(); st.Indexed != count || st.Problem != nil {
			t.Errorf("m %d: %+v", m, st)
		}
		closeIndex(t, x)
	}
}
