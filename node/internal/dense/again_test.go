package dense_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// What cannot be built is told, and is built once it can be: when the configuration changes, or after a while.
func TestWhatCouldNotBeBuiltIsTriedAgain(t *testing.T) {
	for name, again := range map[string]func(x *dense.Index, c dense.Config){
		"configuration": func(x *dense.Index, c dense.Config) { x.SetConfig(c) },
		"time":          func(*dense.Index, dense.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "index")
			config := dense.Config{M: 4, EfConstruct: 10, IndexingBytes: 1, DeletedThreshold: 1}
			x := newIndex(t, dense.Options{Size: 2, Distance: vec.Euclid, Config: config, Dir: dir})
			if name == "time" {
				x.Rest(time.Millisecond)
			}
			for label := range uint32(300) {
				put(t, x, label, float32(label), 1)
			}
			x.Publish()
			settle(t, x)
			if err := os.WriteFile(dir, nil, 0o600); err != nil { // in the way of the directory
				t.Fatal(err)
			}
			config.OnDisk = true
			x.SetConfig(config)
			waitFor(t, x, func(st dense.Status) bool { return st.Problem != nil })
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
			again(x, config)
			waitFor(t, x, func(st dense.Status) bool { return st.Problem == nil && !st.Busy && st.Indexed == 300 })
			if files, err := filepath.Glob(filepath.Join(dir, "live-*")); err != nil || len(files) == 0 {
				t.Errorf("no vectors on the disk: %v, %v", files, err)
			}
			closeIndex(t, x)
		})
	}
}

// Looking at codes is not building; but what has been declared meanwhile is yet to be built.
func TestAnIndexThatOnlyLooksAtItsCodesIsDone(t *testing.T) {
	config := dense.Config{M: 4, EfConstruct: 10, IndexingBytes: 1, DeletedThreshold: 1}
	x := newIndex(t, dense.Options{Size: 2, Distance: vec.Euclid, Config: config})
	for label := range uint32(100) {
		put(t, x, label, float32(label), 1)
	}
	x.Publish()
	settle(t, x)
	done := x.Judge()
	if st := x.Status(); st.Busy {
		t.Error("it builds although it judges")
	}
	config.M = 5
	x.SetConfig(config)
	if st := x.Status(); !st.Busy {
		t.Error("it is done although the graph is to have more links")
	}
	done()
	settle(t, x)
	closeIndex(t, x)
}

func waitFor(t *testing.T, x *dense.Index, is func(dense.Status) bool) {
	t.Helper()
	for !is(x.Status()) {
		runtime.Gosched()
	}
}
