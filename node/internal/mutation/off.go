//go:build !mutation

package mutation

// On reports whether a mutation was chosen. In this build none can be.
func On(Mutation) bool { return false }
