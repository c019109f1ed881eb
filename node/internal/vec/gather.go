package vec

import "unsafe"

// Table says where the rows of a large set lie: row r begins (r mod 2^Shift)*Stride bytes into Chunks[r>>Shift]. Every
// chunk holds 2^Shift rows. A Table is a value that its owner never changes once it gave it away, so that kernels may
// read it while rows are added elsewhere.
type Table struct {
	Chunks []unsafe.Pointer
	Shift  uint8
	Stride int
}

// At returns where a row begins. A row beyond the chunks panics.
func (t *Table) At(row uint32) unsafe.Pointer {
	return unsafe.Add(t.Chunks[row>>t.Shift], int(row&(1<<t.Shift-1))*t.Stride)
}

// Gather compares the query with rows of a table, by number: sums[i] is of rows[i]. It takes four rows at a time while
// memory fetches the four after them. sums is not shorter than rows. A row that lies beyond the table's chunks panics;
// the stride must be at least the query's length in elements of R.
func (k Kernel[Q, R, S]) Gather(query []Q, t *Table, rows []uint32, sums []S) {
	q, n := start(query), len(query)
	sums = sums[:len(rows)]
	if len(rows) >= 4 {
		row0, row1, row2, row3 := t.At(rows[0]), t.At(rows[1]), t.At(rows[2]), t.At(rows[3])
		for len(rows) >= 4 {
			next := lookAhead(rows)
			next0, next1, next2, next3 := t.At(next[0]), t.At(next[1]), t.At(next[2]), t.At(next[3])
			k.four(q, n, row0, row1, row2, row3, next0, next1, next2, next3, (*[4]S)(sums))
			row0, row1, row2, row3 = next0, next1, next2, next3
			rows, sums = rows[4:], sums[4:]
		}
	}
	for i, row := range rows {
		sums[i] = k.one(q, t.At(row), n)
	}
}
