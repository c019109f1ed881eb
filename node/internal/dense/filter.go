package dense

// Labels is a set of labels that nobody changes.
type Labels interface {
	Contains(label uint32) bool
	GetCardinality() uint64
	Iterate(visit func(label uint32) bool)
}

// Filter says which labels a search may find, as of the moment of its snapshot: those in Lower, none outside of Upper,
// and between them what Accept says.
type Filter struct {
	Lower, Upper Labels // nil: no label is known to match; every label may
	// Accept is asked as rarely as possible, because it may read payloads; its error ends the search. nil: what is in
	// Upper matches.
	Accept func(label uint32) (bool, error)
	// Expected is about how many labels match.
	Expected int
}

func (f *Filter) accepts(label uint32) (bool, error) {
	switch {
	case f.Lower != nil && f.Lower.Contains(label):
		return true, nil
	case f.Upper != nil && !f.Upper.Contains(label):
		return false, nil
	case f.Accept == nil:
		return true, nil
	}
	return f.Accept(label)
}
