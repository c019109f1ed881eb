package shard

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
)

// frequencies counts the sparse vectors of a name that have each of some indices, as facets of the index, and all of them, as
// the facet of true. Vectors of points that a move hides are counted too: it is a statistic.
func (s *Shard) frequencies(req FacetRequest) ([]payload.Facet, error) {
	var out []payload.Facet
	r, err := s.read(&req.Look, func(r *reader) error {
		sp := r.spaces[*req.Sparse]
		switch {
		case sp == nil:
			_, err := r.schema.vector(*req.Sparse)
			return err
		case sp.sparse == nil:
			return catalog.ErrMixedKinds()
		}
		having, vectors := sp.sparse.Frequencies(req.Indices)
		out = make([]payload.Facet, 0, len(having)+1)
		out = append(out, payload.Facet{Value: true, Count: vectors})
		for i, n := range having {
			if n > 0 {
				out = append(out, payload.Facet{Value: int64(req.Indices[i]), Count: n})
			}
		}
		return nil
	})
	if err == nil {
		r.close()
	}
	return out, err
}
