package filter

// What Compile lets in.
const (
	MostDepth      = MaxDepth + joinedDepth
	MostConditions = MaxConditions + joinedConditions
)
