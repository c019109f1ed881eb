//go:build mutation

package mutation

import "os"

// chosen does not change while the process lives.
var chosen = Mutation(os.Getenv(Variable))

// On reports whether a mutation was chosen.
func On(m Mutation) bool { return m == chosen }
