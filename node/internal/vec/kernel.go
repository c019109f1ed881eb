package vec

import "unsafe"

// Sum is what a kernel returns. Integer sums are exact for up to 65,536 components and beyond that exact modulo 2^32;
// sums that leave float32 become infinite or NaN, and Better orders those too.
type Sum interface{ float32 | int32 | uint32 }

// Kernel compares a query of Q with rows of R. The zero Kernel is not usable. Kernels are values: who makes many
// comparisons keeps one. They may be used by many goroutines at once.
//
// A query and a row give the same bits in One, Rows, Slices and Gather, wherever they lie in memory.
type Kernel[Q, R any, S Sum] struct {
	one func(query, row unsafe.Pointer, n int) S
	// many compares count rows, at least four, whose addresses stand at rows, and asks for cache lines ahead.
	many func(query unsafe.Pointer, n int, rows *unsafe.Pointer, count int, sums *S)
}

// One compares the query with a row, which is not shorter.
func (k Kernel[Q, R, S]) One(query []Q, row []R) S {
	return k.one(start(query), start(row[:len(query)]), len(query))
}

// atOnce is how many rows a kernel takes in one call.
const atOnce = 32

// addresses are those of some rows. They lie on the stack of who compares, which grows with nothing that kernels do.
type addresses [atOnce]unsafe.Pointer

// Rows compares the query with rows of a block: sums[i] is of the row of the query's length that begins at
// block[offsets[i]]. Memory fetches rows while those before are compared. sums is not shorter than offsets; an offset
// that is out of range panics.
func (k Kernel[Q, R, S]) Rows(query []Q, block []R, offsets []int, sums []S) {
	var rows addresses
	n := len(query)
	sums = sums[:len(offsets)]
	for len(offsets) > 0 {
		count := min(len(offsets), atOnce)
		for i, offset := range offsets[:count] {
			rows[i%atOnce] = at(block, offset, n)
		}
		k.compare(start(query), n, &rows, sums[:count])
		offsets, sums = offsets[count:], sums[count:]
	}
}

// Slices is Rows for rows that lie anywhere: each is not shorter than the query, and neither is sums than rows.
func (k Kernel[Q, R, S]) Slices(query []Q, rows [][]R, sums []S) {
	var to addresses
	n := len(query)
	sums = sums[:len(rows)]
	for len(rows) > 0 {
		count := min(len(rows), atOnce)
		for i, row := range rows[:count] {
			to[i%atOnce] = at(row, 0, n)
		}
		k.compare(start(query), n, &to, sums[:count])
		rows, sums = rows[count:], sums[count:]
	}
}

// compare takes as many rows as there are sums, which are not none.
func (k Kernel[Q, R, S]) compare(query unsafe.Pointer, n int, rows *addresses, sums []S) {
	if len(sums) >= 4 {
		k.many(query, n, (*unsafe.Pointer)(hidden(unsafe.Pointer(rows))), len(sums), unsafe.SliceData(sums))
		return
	}
	for i := range sums {
		sums[i] = k.one(query, rows[i], n)
	}
}

// hidden returns p, but the compiler does not see that it is p: else it would move to the heap what a kernel, being called
// through a variable, might keep. Kernels do not. Between the two lines nothing can move the stack that p points into.
func hidden(p unsafe.Pointer) unsafe.Pointer {
	x := uintptr(p)
	return *(*unsafe.Pointer)(unsafe.Pointer(&x))
}

// fours makes a kernel for many rows of one for four, which asks for the cache lines of the next four.
func fours[S Sum](
	four func(query unsafe.Pointer, n int, row0, row1, row2, row3, next0, next1, next2, next3 unsafe.Pointer, sums *[4]S),
) func(query unsafe.Pointer, n int, rows *unsafe.Pointer, count int, sums *S) {
	return func(query unsafe.Pointer, n int, rows *unsafe.Pointer, count int, sums *S) {
		list, out := unsafe.Slice(rows, count), unsafe.Slice(sums, count)
		for len(list) > 0 {
			if over := 4 - len(list); over > 0 { // together with some rows before, once more
				list, out = unsafe.Slice(rows, count)[count-4:], unsafe.Slice(sums, count)[count-4:]
			}
			next := list[len(list)-4:]
			if len(list) >= 8 {
				next = list[4:8]
			}
			four(query, n, list[0], list[1], list[2], list[3], next[0], next[1], next[2], next[3], (*[4]S)(out))
			list, out = list[4:], out[4:]
		}
	}
}

func start[T any](s []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(s)) }

func at[T any](block []T, offset, n int) unsafe.Pointer { return start(block[offset : offset+n]) }

// Prefetch asks memory for s without waiting for it: for what will be read some hundred nanoseconds later. It changes
// nothing but time, and does nothing where there is no instruction for it.
func Prefetch[T any](s []T) {
	var element T
	prefetch(start(s), len(s)*int(unsafe.Sizeof(element)))
}
