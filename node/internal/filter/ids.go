package filter

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// IDs returns ids, ascending and each once, that hold every point that can match, and true, if the filter names such:
// a HasID among its Must, or in a Filter among its Must. A reader then looks at these points only; each must still
// match. With false, any point may match.
func (f *Filter) IDs() ([]point.ID, bool) {
	if f == nil {
		return nil, false
	}
	var best []point.ID
	found := false
	for _, c := range f.Must {
		ids, ok := c.ids()
		if ok && (!found || len(ids) < len(best)) {
			best, found = ids, true
		}
	}
	best = slices.Clone(best)
	slices.SortFunc(best, point.ID.Compare)
	return slices.Compact(best), found
}

func (c *Condition) ids() ([]point.ID, bool) {
	if c.HasID != nil {
		return c.HasID.IDs, true
	}
	return c.Filter.IDs()
}
