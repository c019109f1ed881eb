package overload

// NewMeasuredMemory returns a Memory that is measured as the test says.
func NewMeasuredMemory(limit int64, measure func() int64) (*Memory, error) {
	return newMemory(limit, measure, nil)
}
