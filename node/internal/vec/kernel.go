package vec

import "unsafe"

// Sum is what a kernel returns. Integer sums are exact for up to 65,536 components and beyond that exact modulo 2^32;
// sums that leave float32 become infinite or NaN, and Better orders those too.
type Sum interface{ float32 | int32 | uint32 }

// Kernel compares a query of Q with rows of R. The zero Kernel is not usable. Kernels are values: who makes many
// comparisons keeps one. They may be used by many goroutines at once.
//
// A query and a row give the same bits in One, Rows and Slices, wherever they lie in memory.
type Kernel[Q, R any, S Sum] struct {
	one func(query, row unsafe.Pointer, n int) S
	// four compares four rows and asks for the cache lines of the next four, which may be the same.
	four func(query unsafe.Pointer, n int, row0, row1, row2, row3, next0, next1, next2, next3 unsafe.Pointer, sums *[4]S)
}

// One compares the query with a row, which is not shorter.
func (k Kernel[Q, R, S]) One(query []Q, row []R) S {
	return k.one(start(query), start(row[:len(query)]), len(query))
}

// Rows compares the query with rows of a block: sums[i] is of the row of the query's length that begins at
// block[offsets[i]]. It takes four rows at a time while memory fetches the four after them. sums is not shorter than
// offsets; an offset that is out of range panics.
func (k Kernel[Q, R, S]) Rows(query []Q, block []R, offsets []int, sums []S) {
	q, n := start(query), len(query)
	sums = sums[:len(offsets)]
	if len(offsets) >= 4 {
		row0, row1 := at(block, offsets[0], n), at(block, offsets[1], n)
		row2, row3 := at(block, offsets[2], n), at(block, offsets[3], n)
		for len(offsets) >= 4 {
			next := lookAhead(offsets)
			next0, next1 := at(block, next[0], n), at(block, next[1], n)
			next2, next3 := at(block, next[2], n), at(block, next[3], n)
			k.four(q, n, row0, row1, row2, row3, next0, next1, next2, next3, (*[4]S)(sums))
			row0, row1, row2, row3 = next0, next1, next2, next3
			offsets, sums = offsets[4:], sums[4:]
		}
	}
	for i, offset := range offsets {
		sums[i] = k.one(q, at(block, offset, n), n)
	}
}

// Slices is Rows for rows that lie anywhere: each is not shorter than the query, and neither is sums than rows.
func (k Kernel[Q, R, S]) Slices(query []Q, rows [][]R, sums []S) {
	q, n := start(query), len(query)
	sums = sums[:len(rows)]
	for len(rows) >= 4 {
		next := lookAhead(rows)
		k.four(q, n, at(rows[0], 0, n), at(rows[1], 0, n), at(rows[2], 0, n), at(rows[3], 0, n),
			at(next[0], 0, n), at(next[1], 0, n), at(next[2], 0, n), at(next[3], 0, n), (*[4]S)(sums))
		rows, sums = rows[4:], sums[4:]
	}
	for i, row := range rows {
		sums[i] = k.one(q, at(row, 0, n), n)
	}
}

// lookAhead is what to fetch while the first four are compared: the four after them, or the last four when fewer
// follow. To fetch again what is there costs next to nothing.
func lookAhead[T any](rows []T) []T {
	if len(rows) >= 8 {
		return rows[4:8]
	}
	return rows[len(rows)-4:]
}

func start[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

func at[T any](block []T, offset, n int) unsafe.Pointer { return start(block[offset : offset+n]) }

// Prefetch asks memory for s without waiting for it: for what will be read some hundred nanoseconds later. It changes
// nothing but time, and does nothing where there is no instruction for it.
func Prefetch[T any](s []T) {
	var element T
	prefetch(start(s), len(s)*int(unsafe.Sizeof(element)))
}
