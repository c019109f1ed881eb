package dense

// Config says how an index is kept. All of it can be changed while the index is in use.
type Config struct {
	// DeletedThreshold and VacuumMinVectors: rows that died are cleared away once they are more than this share of all
	// rows and there are at least so many rows.
	DeletedThreshold float64
	VacuumMinVectors int
}
