package overload

// NewMeasuredMemory returns a Memory that is measured as the test says.
func NewMeasuredMemory(limit int64, measure func() int64) (*Memory, error) {
	return newMemory(limit, measure, nil)
}

// GarbageLimit is what LimitGarbage gives to Go.
func GarbageLimit(limit, others, live int64) int64 { return garbageLimit(limit, others, live) }
