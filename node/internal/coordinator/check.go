package coordinator

import (
	"cmp"
	"math"
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// checkOp checks an operation against the schema before any part of it is sent, so that a wrong request changes nothing
// on any shard. A point may lack some of the collection's vectors; it may not bring one that is not declared.
func checkOp(config *catalog.Config, op point.Op) error {
	var err error
	switch op := op.(type) {
	case point.Upsert:
		err = checkPoints(config, op.Points, op.Condition)
	case point.UpdateVectors:
		err = checkPoints(config, op.Points, op.Condition)
	case point.DeleteVectors:
		if err = checkEncodedFilter(op.Filter); err == nil {
			err = config.CheckNames(op.Names)
		}
	case point.Delete:
		err = checkEncodedFilter(op.Filter)
	case point.SetPayload:
		err = checkEncodedFilter(op.Filter)
	case point.OverwritePayload:
		err = checkEncodedFilter(op.Filter)
	case point.DeletePayload:
		err = checkEncodedFilter(op.Filter)
	case point.ClearPayload:
		err = checkEncodedFilter(op.Filter)
	}
	if err != nil {
		return err
	}
	return point.CheckOp(op) // payloads, paths, finite components
}

func checkPoints(config *catalog.Config, points []point.Point, condition []byte) error {
	if err := checkEncodedFilter(condition); err != nil {
		return err
	}
	for i := range points {
		for name, v := range points[i].Vectors {
			if err := config.CheckDense(name, v); err != nil {
				return err
			}
		}
		for name := range points[i].Sparse {
			if err := config.CheckSparse(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkEncodedFilter makes sure that every replica will be able to evaluate the filter.
func checkEncodedFilter(encoded []byte) error {
	f, err := filter.Decode(encoded)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "filter")
	}
	return checkFilter(f)
}

func checkFilter(f *filter.Filter) error {
	_, err := filter.Compile(f)
	return err
}

// checkQuery checks a search.
func checkQuery(col *catalog.Collection, q *Query) error {
	if err := checkWhat(col, q); err != nil {
		return err
	}
	if q.Limit == 0 {
		return fault.New(fault.Invalid, "limit must be at least 1")
	}
	if t := q.ScoreThreshold; t != nil && math.IsNaN(float64(*t)) {
		return fault.New(fault.Invalid, "score_threshold is not a number")
	}
	if err := checkFilter(q.Filter); err != nil {
		return err
	}
	return col.Config.CheckNames(q.Vectors.Names)
}

// checkWhat checks what a search looks for.
func checkWhat(col *catalog.Collection, q *Query) error {
	switch {
	case q.Order != nil && q.Sample != nil:
		return fault.New(fault.Invalid, "points are asked for in order, and at random")
	case q.Order != nil:
		field := replica.FieldOf(col.PayloadSchema[q.Order.Path])
		if !field.Ordered() {
			return shard.ErrNotOrdered(q.Order.Path)
		}
		_, _, err := field.Bounds(*q.Order)
		return err
	case q.Sample != nil:
		return nil
	}
	if q.Explore != nil {
		return checkExplore(&col.Config, q)
	}
	if q.Sparse != nil {
		return cmp.Or(col.Config.CheckSparse(q.Using), q.Sparse.Check())
	}
	if err := col.Config.CheckDense(q.Using, q.Vector); err != nil {
		return err
	}
	return vec.CheckFinite(q.Vector)
}

// checkExplore checks the vectors that points are to be compared with.
func checkExplore(config *catalog.Config, q *Query) error {
	x := q.Explore
	if !x.Valid() {
		return fault.New(fault.Invalid, "there are no examples to compare with, or one of a pair is missing")
	}
	examples := slices.Concat(x.Positive, x.Negative)
	if x.Kind == shard.Discover {
		examples = append(examples, x.Target)
	}
	for _, v := range examples {
		if err := cmp.Or(config.CheckDense(q.Using, v), vec.CheckFinite(v)); err != nil {
			return err
		}
	}
	return nil
}
