package disk_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/disktest"
)

func TestADiskIsFullWhileThereIsRoomForWhatIsStillToBeWritten(t *testing.T) {
	const mib = 1 << 20
	fs := &disktest.Sized{FS: vfs.NewMem()}
	fs.Free.Store(1000 * mib)
	w, err := disk.OpenWarden(disk.WardenOptions{FS: fs, Dir: "data", Reserve: 10 * mib, Every: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var need atomic.Uint64
	w.Demand(need.Load)
	// take writes so much, and says so in steps.
	take := func(bytes int64) {
		for range bytes / (mib / 2) {
			fs.Free.Add(^uint64(mib/2 - 1))
			w.Took(mib / 2)
		}
	}
	full := func(what string, want bool) {
		t.Helper()
		if r := w.Room(); r.Full != want {
			t.Errorf("%s: %+v", what, r)
		}
	}
	take(985 * mib)
	full("15 MiB are free, and 10 are kept", false)
	take(6 * mib)
	full("9 MiB are free, and 10 are kept", true)
	fs.Free.Store(19 * mib)
	w.Look()
	full("19 MiB are not enough", true)
	fs.Free.Store(20 * mib)
	w.Look()
	full("20 MiB are", false)
	need.Store(30 * mib)
	fs.Free.Store(600 * mib)
	w.Look()
	take(558 * mib)
	full("42 MiB are free, 10 are kept and 30 are needed", false)
	take(3 * mib)
	full("39 MiB are free, 10 are kept and 30 are needed", true)
	need.Store(0)
	w.Look()
	full("39 MiB are free, and nothing is needed any more", false)
}
