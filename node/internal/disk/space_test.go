package disk_test

import (
	"path/filepath"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
)

func TestSpaceOfADirectory(t *testing.T) {
	free, total, err := disk.Space(t.TempDir())
	if err != nil || total == 0 || free > total {
		t.Errorf("%d of %d bytes are free, %v", free, total, err)
	}
	if _, _, err := disk.Space(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a path that does not exist has space")
	}
}
