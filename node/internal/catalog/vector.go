package catalog

import (
	"strconv"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// What is wrong with vectors is worded as in Qdrant: clients and scripts look for these words.

// ErrNoVector refuses a name that is not declared.
func ErrNoVector(name string) error {
	return fault.New(fault.Invalid, "Not existing vector name error: %.255s", name)
}

// ErrVectorSize refuses a vector of another size than is declared.
func ErrVectorSize(declared, got int) error {
	return fault.New(fault.Invalid, "Vector dimension error: expected dim: %d, got %d", declared, got)
}

// ErrMixedKinds refuses a sparse vector where dense ones are declared, or a dense one where sparse ones are.
func ErrMixedKinds() error {
	return fault.New(fault.Invalid, "Conversion between sparse and regular vectors failed")
}

// ErrNotMulti refuses several vectors where one is declared.
func ErrNotMulti() error {
	return fault.New(fault.Invalid, "Conversion between multi and regular vectors failed")
}

// MaxMulti is how many components all vectors of a multivector may have together.
const MaxMulti = 1 << 20

// Inner is the name under which the points of the collection hold a vector: its own, or, of one that was added later, one that no
// other vector of the collection ever has. So what is left of one that was removed is never taken for another's.
func (c *Config) Inner(name string) string {
	incarnation := c.Vectors[name].Incarnation
	if s, sparse := c.SparseVectors[name]; sparse {
		incarnation = s.Incarnation
	}
	if incarnation == 0 {
		return name
	}
	return innerMark + strconv.FormatUint(incarnation, 10)
}

// innerMark begins no name that can be declared.
const innerMark = "\x00"

// Inners returns the vectors whose inner names are others than their own: those by these, and these by those. None are nil.
func (c *Config) Inners() (inner, outer map[string]string) {
	note := func(name string, incarnation uint64) {
		if incarnation == 0 {
			return
		}
		if inner == nil {
			inner, outer = map[string]string{}, map[string]string{}
		}
		inner[name] = c.Inner(name)
		outer[inner[name]] = name
	}
	for name, v := range c.Vectors {
		note(name, v.Incarnation)
	}
	for name, v := range c.SparseVectors {
		note(name, v.Incarnation)
	}
	return inner, outer
}

// reborn reports whether a vector was added later.
func (c *Config) reborn() bool {
	inner, _ := c.Inners()
	return len(inner) > 0
}

// Has reports whether a vector of that name is declared, of whatever kind.
func (c *Config) Has(name string) bool {
	_, sparse := c.SparseVectors[name]
	_, dense := c.Vectors[name]
	return sparse || dense
}

// CheckNames refuses names that are not declared.
func (c *Config) CheckNames(names []string) error {
	for _, name := range names {
		if !c.Has(name) {
			return ErrNoVector(name)
		}
	}
	return nil
}

// CheckDense refuses a dense vector, or the vectors of a multivector one behind the other, that does not fit what is declared.
func (c *Config) CheckDense(name string, v []float32) error {
	params, ok := c.Vectors[name]
	switch {
	case !ok && c.Has(name):
		return ErrMixedKinds()
	case !ok:
		return ErrNoVector(name)
	case params.Multi:
		return CheckMulti(int(params.Size), len(v))
	case uint64(len(v)) != params.Size:
		return ErrVectorSize(int(params.Size), len(v))
	}
	return nil
}

// CheckMulti refuses a multivector of so many components whose vectors are not of a size, or are none or too many.
func CheckMulti(size, components int) error {
	switch {
	case components == 0:
		return fault.New(fault.Invalid, "a multivector has no vectors: at least one is needed")
	case components > MaxMulti:
		return fault.New(fault.Invalid, "a multivector has %d components, at most %d are allowed", components, MaxMulti)
	case components%size != 0:
		return ErrVectorSize(size, components)
	}
	return nil
}

// CheckSparse refuses a sparse vector where none is declared.
func (c *Config) CheckSparse(name string) error {
	if _, ok := c.SparseVectors[name]; ok {
		return nil
	}
	if c.Has(name) {
		return ErrMixedKinds()
	}
	return ErrNoVector(name)
}

// Comparison returns how scores of a vector are ordered, dense or sparse; it is not valid if there is no such vector.
func (c *Config) Comparison(name string) vec.Distance {
	if _, sparse := c.SparseVectors[name]; sparse {
		return vec.Dot
	}
	return c.Vectors[name].Distance
}
