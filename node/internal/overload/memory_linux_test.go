package overload_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/overload"
)

func TestTheLeastLimitOfAllGroupsAroundCounts(t *testing.T) {
	root := t.TempDir()
	for name, limit := range map[string]string{
		"system.slice/memory.max":                       "max\n",
		"system.slice/node.service/memory.max":          "3000\n",
		"limited.slice/memory.max":                      "2000\n",
		"limited.slice/node.service/memory.max":         "5000\n",
		"memory/memory.limit_in_bytes":                  "9223372036854771712\n",
		"memory/docker/abc/memory.limit_in_bytes":       "4000\n",
		"memory/docker/abc/inner/memory.limit_in_bytes": "damaged\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(limit), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for own, want := range map[string]int64{
		"":                                   7000,
		"nonsense\n1:2\n":                    7000,
		"0::/\n":                             7000,
		"0::/system.slice\n":                 7000,
		"0::/system.slice/node.service\n":    3000,
		"0::/limited.slice/node.service\n":   2000,
		"0::/elsewhere/unseen\n":             7000,
		"0::/../../limited.slice\n":          2000,
		"4:memory:/docker/abc\n0::/\n":       4000,
		"5:cpu,memory:/docker/abc/inner\n":   4000,
		"4:memory:/docker\n9:name=systemd:/": 7000,
	} {
		if got := overload.LeastLimit(root, own, 7000); got != want {
			t.Errorf("%q: %d, want %d", own, got, want)
		}
	}
	if got := overload.LeastLimit(root, "0::/limited.slice\n", 0); got != 2000 {
		t.Errorf("of a machine that does not tell: %d", got)
	}
	if got := overload.LeastLimit(root, "0::/limited.slice\n", 1000); got != 1000 {
		t.Errorf("of a small machine: %d", got)
	}
}
