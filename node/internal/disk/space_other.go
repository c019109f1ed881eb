//go:build !linux && !darwin && !freebsd

package disk

// Space returns 0, 0 where nobody has written how to ask: the space is not known.
func Space(string) (free, total uint64, err error) { return 0, 0, nil }
