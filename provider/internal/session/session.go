// Package session owns what a configured provider hands to its resources, data sources and functions: the client, how
// strictly plans are checked, which warnings have been given, and what the servers can do.
//
// It promises that a warning of one kind is given once per subject and process, and that nothing is asked of the servers
// before somebody wants to know it.
package session

import (
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// Checks says what becomes of a plan that the live cluster cannot fulfil.
type Checks string

// The settings of plan_checks.
const (
	Error Checks = "error" // the plan fails
	Warn  Checks = "warn"  // the plan carries a warning
	Off   Checks = "off"   // nobody asks the cluster
)

// AllChecks returns the settings in the order of the documentation.
func AllChecks() []string { return []string{string(Error), string(Warn), string(Off)} }

// Data is what a configured provider shares.
type Data struct {
	// Client drives the cluster. Nil while the provider's configuration is not known yet: then nothing can be asked.
	Client *client.Client
	Checks Checks

	once struct {
		sync.Mutex
		seen map[string]bool
	}
	placements placements
	can        struct {
		sync.Mutex
		Capabilities
		known bool
	}
}

// New returns the data of one configured provider.
func New(c *client.Client, checks Checks) *Data {
	d := &Data{Client: c, Checks: checks}
	d.once.seen = map[string]bool{}
	return d
}

// First reports whether this is the first time that a warning of that kind is to be given about subject. Terraform
// plans a resource more than once in one run, and shows every copy of a warning.
func (d *Data) First(kind, subject string) bool {
	key := kind + "\x00" + subject
	d.once.Lock()
	defer d.once.Unlock()
	if d.once.seen[key] {
		return false
	}
	d.once.seen[key] = true
	return true
}

// From returns the data that Configure was given, or nil before the provider is configured, which is not an error.
func From(data any, diags *diag.Diagnostics) *Data {
	if data == nil {
		return nil
	}
	d, ok := data.(*Data)
	if !ok {
		diags.AddError("Provider configured with foreign data", "This is a bug of the provider: please report it.")
		return nil
	}
	return d
}
