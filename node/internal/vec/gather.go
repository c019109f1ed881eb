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

// Gather compares the query with rows of a table, by number: sums[i] is of rows[i]. Memory fetches rows while those
// before are compared. sums is not shorter than rows. A row that lies beyond the table's chunks panics; the stride must be
// at least the query's length in elements of R.
func (k Kernel[Q, R, S]) Gather(query []Q, t *Table, rows []uint32, sums []S) {
	var to addresses
	sums = sums[:len(rows)]
	for len(rows) > 0 {
		count := min(len(rows), atOnce)
		for i, row := range rows[:count] {
			to[i%atOnce] = t.At(row)
		}
		k.compare(start(query), len(query), &to, sums[:count])
		rows, sums = rows[count:], sums[count:]
	}
}
