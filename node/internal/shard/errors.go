package shard

import (
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// errNoRecord says that the memory knows a point that the store does not have.
func errNoRecord(id point.ID) error {
	return fault.New(fault.Corrupt, "point %s has no payload record", id)
}
