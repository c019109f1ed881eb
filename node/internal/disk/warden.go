package disk

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// IsFull tells whether an error says that a disk, or somebody's share of it, has no room left.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// WardenOptions configure a Warden. FS and Dir are needed.
type WardenOptions struct {
	FS  vfs.FS
	Dir string // any directory of the disk; the reserve is kept in a directory in it
	// Reserve is how many bytes are held back; 0: a 16th of the disk, 256 MiB at most; below 0: none.
	Reserve int64
	Every   time.Duration // between two looks at the disk; default 250 ms
	Logger  hclog.Logger
	// Registerer takes the metrics; nil: nobody does.
	Registerer prometheus.Registerer
	// Changed, if not nil, is called after the disk became full, or ceased to be.
	Changed func(Room)
}

// Room is how much room there is on a disk.
type Room struct {
	Free, Total uint64 // bytes, for this user; a Total of 0: not known
	Reserve     uint64 // bytes held back, which Free does not count
	Low         uint64 // below so much free the disk counts as full
	Enough      uint64 // until so much is free
	Full        bool
}

// Refusal is nil while there is room, and else an error of class fault.Exhausted that says whose disk it is, how much is free,
// how much is needed and what helps.
func (r Room) Refusal(whose string) error {
	if !r.Full {
		return nil
	}
	return fault.New(fault.Exhausted,
		"the disk of %s is full: %s of %s are free, writes need %s. Reads and deletes go on. Delete points or collections, or make room on the disk",
		whose, Size(r.Free), Size(r.Total), Size(r.Enough)).With(HintFull, whose)
}

// HintFull marks an error that says that a disk is full; its value is whose. To try again at once is of no use.
const HintFull = "disk_full"

// Size words a number of bytes.
func Size(n uint64) string {
	for _, u := range []struct {
		unit string
		size uint64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.size), u.unit)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// Warden watches the room on a disk, and holds some of it back.
//
// What grows asks Room first, so the disk counts as full before it is: while it has still room for what its user says is yet to
// be written (Demand). Who fills it says so (Took), so that it is looked at before too much is written, however fast.
//
// The reserve is for when somebody else takes that room: real files, each of which is given up when a write that must go on finds
// none. All of it is taken again once there is enough. Somebody else may fill the disk faster than any of this: a write that finds
// no room waits, or fails without having changed anything.
//
// One goroutine looks at the disk; Close ends it. A Warden is safe for concurrent use.
type Warden struct {
	opts    WardenOptions
	demand  atomic.Pointer[func() uint64] // nil: of nothing
	looking sync.Mutex                    // somebody looks at the disk
	taken   atomic.Int64                  // bytes, since somebody looked
	margin  atomic.Int64                  // so many of them do not matter
	closing chan struct{}
	wg      sync.WaitGroup
	once    sync.Once
	mu      struct {
		sync.Mutex
		room   Room
		full   time.Time // when a write last found no room
		warned time.Time // when it was last said that somebody waits for room
		pieces []string  // names of the files of the reserve
	}
	reserve uint64 // what is to be held
	base    uint64 // what is kept free beside what is demanded
	noRoom  prometheus.Counter
}

const (
	minLow       = 8 << 20
	minMargin    = 1 << 20
	maxReserve   = 256 << 20
	reservePart  = 16 // of the disk
	reserveFiles = 8
	calmAfter    = time.Second // a disk ceases to be full so long after a write found no room at the earliest
	warnEvery    = 10 * time.Second
	reserveDir   = "reserve"
)

// OpenWarden looks at the disk, takes the reserve if there is room for it, and goes on watching.
func OpenWarden(opts WardenOptions) (*Warden, error) {
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	if opts.Every <= 0 {
		opts.Every = 250 * time.Millisecond
	}
	w := &Warden{opts: opts, closing: make(chan struct{}), noRoom: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "ostraka_disk_no_room_total", Help: "Times that a write found no room on the disk, and waited or was given a piece of the reserve.",
	})}
	usage, err := opts.FS.GetDiskUsage(opts.Dir)
	if err != nil && !errors.Is(err, vfs.ErrUnsupported) { // of a disk in memory
		return nil, fmt.Errorf("look at the disk of %s: %w", opts.Dir, err)
	}
	switch {
	case opts.Reserve > 0:
		w.reserve = uint64(opts.Reserve)
	case opts.Reserve == 0 && usage.TotalBytes > 0:
		w.reserve = min(usage.TotalBytes/reservePart, maxReserve)
	}
	if opts.Registerer != nil {
		opts.Registerer.MustRegister(w.metrics()...)
	}
	w.findPieces()
	w.base = max(w.reserve, minLow)
	w.margin.Store(math.MaxInt64)
	w.see(usage)
	w.wg.Go(w.watch)
	return w, nil
}

// Demand tells the warden whom to ask how much is still going to be written even if nothing that grows is taken any more. need is
// called often, by whoever writes: it must not wait for anybody.
func (w *Warden) Demand(need func() uint64) {
	w.demand.Store(&need)
	w.Look()
}

// Took notes that room for so many bytes was taken on the disk, and looks at it when that may matter.
func (w *Warden) Took(bytes int64) {
	if w.taken.Add(bytes) >= w.margin.Load() && w.looking.TryLock() {
		defer w.looking.Unlock()
		w.look()
	}
}

// Look looks at the disk now.
func (w *Warden) Look() {
	w.looking.Lock()
	defer w.looking.Unlock()
	w.look()
}

// look needs looking.
func (w *Warden) look() {
	w.taken.Store(0)
	if usage, err := w.opts.FS.GetDiskUsage(w.opts.Dir); err == nil {
		w.see(usage)
	}
}

func (w *Warden) metrics() []prometheus.Collector {
	gauge := func(name, help string, value func(Room) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(w.Room()) })
	}
	return []prometheus.Collector{
		gauge("ostraka_disk_free_bytes", "Room on the disk of this node's data, without the reserve.", func(r Room) float64 { return float64(r.Free) }),
		gauge("ostraka_disk_total_bytes", "Size of the disk of this node's data.", func(r Room) float64 { return float64(r.Total) }),
		gauge("ostraka_disk_reserve_bytes", "What is held back for what must go on when the disk is full.", func(r Room) float64 { return float64(r.Reserve) }),
		gauge("ostraka_disk_full", "1 while this node takes nothing that grows because its disk is full.", func(r Room) float64 {
			if r.Full {
				return 1
			}
			return 0
		}),
		w.noRoom,
	}
}

// Close ends watching. The reserve stays.
func (w *Warden) Close() error {
	w.once.Do(func() { close(w.closing) })
	w.wg.Wait()
	return nil
}

// Room returns what is known of the disk.
func (w *Warden) Room() Room {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.room
}

func (w *Warden) watch() {
	ticker := time.NewTicker(w.opts.Every)
	defer ticker.Stop()
	for {
		for w.lacks() && w.restore() {
			w.Look()
		}
		select {
		case <-ticker.C:
			w.Look()
		case <-w.closing:
			return
		}
	}
}

// see takes in how the disk is.
func (w *Warden) see(usage vfs.DiskUsage) {
	if usage.TotalBytes == 0 {
		return // a disk in memory
	}
	low := w.base
	if need := w.demand.Load(); need != nil {
		low += (*need)()
	}
	w.mu.Lock()
	r := &w.mu.room
	r.Free, r.Total = usage.AvailBytes, usage.TotalBytes
	r.Low, r.Enough = low, low+w.base
	was := r.Full
	switch {
	case r.Free < r.Low:
		r.Full = true
	case r.Free >= r.Enough && time.Since(w.mu.full) >= calmAfter:
		r.Full = false
	}
	now := *r
	w.mu.Unlock()
	w.margin.Store(max(minMargin, (int64(now.Free)-int64(now.Low))/4))
	if now.Full != was {
		w.changed(now)
	}
}

// lacks tells whether the reserve is not whole and there is room for what is missing.
func (w *Warden) lacks() bool {
	r := w.Room()
	missing := w.reserve - min(r.Reserve, w.reserve)
	return missing > 0 && !r.Full && r.Free >= r.Enough+missing
}

func (w *Warden) changed(now Room) {
	if now.Full {
		w.opts.Logger.Error("the disk is full: writes are refused, reads and deletes go on", "dir", w.opts.Dir,
			"free", Size(now.Free), "total", Size(now.Total), "needed", Size(now.Enough), "reserve", Size(now.Reserve))
	} else {
		w.opts.Logger.Info("the disk has room again: writes are taken", "dir", w.opts.Dir, "free", Size(now.Free))
	}
	if w.opts.Changed != nil {
		w.opts.Changed(now)
	}
}

// NoRoom notes that a write found no room, and gives up a piece of the reserve for it: any one, or only of the first half. It
// reports whether there was one: then the write is to be tried again at once.
func (w *Warden) NoRoom(any bool) bool {
	keep := 0
	if !any {
		keep = reserveFiles / 2
	}
	w.noRoom.Inc()
	w.mu.Lock()
	was := w.mu.room.Full
	w.mu.room.Full, w.mu.full = true, time.Now()
	piece := ""
	if n := len(w.mu.pieces); n > keep {
		piece = w.mu.pieces[n-1]
		w.mu.pieces = w.mu.pieces[:n-1]
		w.mu.room.Reserve -= min(w.mu.room.Reserve, w.pieceSize())
	}
	now := w.mu.room
	warn := piece == "" && time.Since(w.mu.warned) >= warnEvery
	if warn {
		w.mu.warned = time.Now()
	}
	w.mu.Unlock()
	if !was {
		w.changed(now)
	}
	if warn {
		w.opts.Logger.Error("the disk has no room at all, and the reserve is used up: a write waits", "dir", w.opts.Dir)
	}
	if piece == "" {
		return false
	}
	err := w.opts.FS.Remove(w.pieceName(piece))
	w.opts.Logger.Warn("the disk has no room: a piece of the reserve is given up", "dir", w.opts.Dir, "left", Size(now.Reserve), "error", err)
	return err == nil
}

func (w *Warden) pieceSize() uint64 { return w.reserve / reserveFiles }

func (w *Warden) pieceName(piece string) string {
	return w.opts.FS.PathJoin(w.opts.Dir, reserveDir, piece)
}

// findPieces takes over what an earlier life of the node holds, and removes what is not of the right size.
func (w *Warden) findPieces() {
	names, err := w.opts.FS.List(w.opts.FS.PathJoin(w.opts.Dir, reserveDir))
	if err != nil {
		return // there is none
	}
	for _, name := range names {
		info, err := w.opts.FS.Stat(w.pieceName(name))
		if err == nil && uint64(info.Size()) == w.pieceSize() && len(w.mu.pieces) < reserveFiles {
			w.mu.pieces = append(w.mu.pieces, name)
			w.mu.room.Reserve += w.pieceSize()
			continue
		}
		_ = w.opts.FS.Remove(w.pieceName(name))
	}
}

// restore takes one missing piece, and reports whether that could be done.
func (w *Warden) restore() bool {
	if err := MakeDir(w.opts.FS, w.opts.FS.PathJoin(w.opts.Dir, reserveDir)); err != nil {
		return false
	}
	w.mu.Lock()
	have := map[string]bool{}
	for _, p := range w.mu.pieces {
		have[p] = true
	}
	w.mu.Unlock()
	for i := range reserveFiles {
		name := fmt.Sprint("piece-", i)
		if have[name] {
			continue
		}
		if err := w.fill(w.pieceName(name)); err != nil {
			_ = w.opts.FS.Remove(w.pieceName(name))
			w.opts.Logger.Debug("the reserve is not restored yet", "error", err)
			return false
		}
		w.mu.Lock()
		w.mu.pieces = append(w.mu.pieces, name)
		w.mu.room.Reserve += w.pieceSize()
		w.mu.Unlock()
		return true
	}
	return false
}

// fill makes a piece: by allocating it, or, where the file system does not do that when it is asked to, by writing it. It need not
// be durable: a piece that a crash takes away is made again.
func (w *Warden) fill(name string) error {
	f, err := w.opts.FS.Create(name, category)
	if err != nil {
		return err
	}
	err = w.take(f, int64(w.pieceSize()))
	return errors.Join(err, f.Close())
}

func (w *Warden) take(f vfs.File, size int64) error {
	if err := f.Preallocate(0, size); IsFull(err) {
		return err
	}
	if _, err := f.WriteAt([]byte{0}, size-1); err == nil {
		if info, err := f.Stat(); err == nil && allocated(info) >= size {
			return nil
		}
	}
	block := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := f.Write(block[:min(size-at, int64(len(block)))]); err != nil {
			return err
		}
	}
	return nil
}
