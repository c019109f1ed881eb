//go:build !linux

package arena

import "github.com/ostraka/terraform-provider-ostraka/node/internal/fault"

func newFile(string, int) (memory, error) {
	return nil, fault.New(fault.Unsupported, "vectors on disk need Linux")
}
