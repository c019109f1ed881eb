package vec

// Ahead asks memory for the first n bytes of rows of a table without waiting for them, as Prefetch does.
func (t *Table) Ahead(rows []uint32, n int) {
	var to addresses
	for len(rows) > 0 {
		count := min(len(rows), atOnce)
		for i, row := range rows[:count] {
			to[i%atOnce] = t.At(row)
		}
		ahead(&to[0], count, n)
		rows = rows[count:]
	}
}
