// Package kv owns a node's database (Pebble): the keys, the values' checksums, and when what is durable.
//
// It promises that what Commit reports is on the disk (fsync), that a View never shows less than a whole Batch, and
// that after one failed write nothing is written ever again. It never interprets payloads, vectors or operations.
//
// One committer writes, and a view reads a snapshot that was taken when the last fsync had succeeded. So readers
// neither wait for an fsync nor see what a crash could take back.
package kv

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/disk"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
)

// Options configures Open.
type Options struct {
	Dir    string       // made if absent
	Logger hclog.Logger // nil: none
	// FS is what the files are on; nil: the operating system's. Tests give one whose power can be cut.
	FS vfs.FS
	// Warden watches the disk and holds a reserve for what must go on when it is full; nil: nobody does.
	Warden *disk.Warden
	// Registerer takes the metrics; nil: nobody does.
	Registerer prometheus.Registerer
	// BeforeWrite, if not nil, is called before each transaction goes to the disk: a simulation makes the disk slow
	// with it, so that crashes happen while commits are under way.
	BeforeWrite func()
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db     *pebble.DB
	volume *volume
	log    hclog.Logger

	queue   chan *request // unbuffered: a request is with its sender or with the committer
	closing chan struct{}
	stopped chan struct{} // closed when the committer has ended

	memTable    uint64      // the size of one
	baseSize    uint64      // from which on a level is not the first below level 0
	tableSizes  [7]int64    // of tables: in level 0, in the first level below it that is used, in the next, ...
	corrupt     atomic.Bool // a table is damaged, and may never be merged
	witnessPath string
	witnessed   chan struct{} // closed when nobody saves the witness any more

	progress chan struct{} // capacity 1: a table was written, or none will be (see clear)
	worked   chan struct{} // capacity 1: tables were written or merged (see measure)

	commitBatch func(*pebble.Batch) error // a test can make it fail

	mu struct {
		sync.Mutex
		idle    *sync.Cond         // views became 0
		durable *moment            // what new views show
		views   int                // open ones
		logs    map[uint64]*logEnd // by generation; what durable shows
		failed  error
		closed  bool
	}
}

// Sizes, chosen so that three nodes in one process stay small, and smaller on small disks (fit).
const (
	memTableBytes = 16 << 20
	minMemTable   = 512 << 10
	memTableShare = 256 // of the disk
	memTables     = 4
	tableBytes    = 2 << 20 // in level 0; twice as much in each next one
	minTable      = 256 << 10
	tableShare    = 2048            // of the disk
	maxWALs       = 2*memTables + 2 // write-ahead files: of memory, kept to be used again, and the spare
	cacheBytes    = 16 << 20        // beside the system's own: vectors are searched in memory, and payloads are read rarely
	maxOpenFiles  = 1000
	stopLevel0    = 12 // layers of tables in level 0, from which on commits wait until there are fewer

	// What one transaction holds at most.
	txBytes = 2200 << 10
	txCount = 20_000
)

// Open opens the database in a directory of its own, or makes it.
func Open(o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	s := &Store{
		log: o.Logger, queue: make(chan *request), closing: make(chan struct{}), stopped: make(chan struct{}),
		progress: make(chan struct{}, 1), worked: make(chan struct{}, 1), witnessed: make(chan struct{}),
	}
	s.mu.idle = sync.NewCond(&s.mu)
	s.mu.logs = map[uint64]*logEnd{}
	s.volume = newVolume(o.FS, o.Warden, func(err error) { _ = s.fail(err) }, s.moved)
	s.volume.spare = o.FS.PathJoin(o.Dir, "spare")
	s.witnessPath = o.FS.PathJoin(o.Dir, witnessFile)
	if err := disk.MakeDir(o.FS, o.Dir); err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	s.volume.metrics = newMetrics(o.Registerer, func() bool { return s.failure() != nil })
	if _, err := o.FS.Stat(o.FS.PathJoin(o.Dir, "KEYREGISTRY")); err == nil {
		return nil, fault.New(fault.FailedPrecondition, "open %s: a version before 0.1.0 wrote this directory; use another", o.Dir)
	}
	var err error
	options := s.options()
	usage, _ := o.FS.GetDiskUsage(o.Dir) // not known of a disk in memory
	s.fit(options, usage.TotalBytes)
	if err := s.checkWitness(o.FS, o.Dir); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Dir, err)
	}
	if s.db, err = pebble.Open(o.Dir, options); err != nil {
		return nil, openError(o.Dir, err)
	}
	s.mu.durable = &moment{Snapshot: s.db.NewSnapshot(), users: 1}
	s.commitBatch = func(b *pebble.Batch) error {
		if o.BeforeWrite != nil {
			o.BeforeWrite()
		}
		how := pebble.Sync
		if mutation.On(mutation.UnsyncedCommit) {
			how = pebble.NoSync
		}
		if err := b.Commit(how); err != nil {
			return err
		}
		return s.volume.failure() // Pebble does not return what it holds to be fatal
	}
	if o.Warden != nil {
		o.Warden.Demand(s.volume.need)
		s.measure()
	}
	go s.runCommitter()
	go s.runWitness()
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Dir, err), s.Close())
	}
	return s, nil
}

// options: no compression, for vectors do not compress.
func (s *Store) options() *pebble.Options {
	o := &pebble.Options{
		FS:                          s.volume,
		Logger:                      bridge{s.log, s.volume},
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		CacheSize:                   cacheBytes,
		MaxOpenFiles:                maxOpenFiles,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1 << 20, // the committer waits, not Pebble: see clear
		CompactionConcurrencyRange: func() (int, int) {
			if s.short() {
				return 1, 1
			}
			return 1, 2
		},
		EventListener: s.events(),
	}
	for i := range o.Levels {
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 16 << 10
	}
	return o
}

// events hears of what goes wrong in the background.
func (s *Store) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if !errors.Is(err, errVolumeClosed) {
				s.log.Warn("work in the background failed", "error", err)
			}
		},
		FlushEnd:        func(pebble.FlushInfo) { s.moved() },
		CompactionBegin: s.volume.begun,
		CompactionEnd:   func(info pebble.CompactionInfo) { s.volume.ended(info); s.moved() },
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			s.corrupt.Store(true)
			s.log.Error("a file is damaged: what it held is made anew from other copies; empty this node's directory when there is time, for the file stays",
				"path", info.Path, "error", info.Details)
		},
	}
}

// moved wakes the committer, if it waits.
func (s *Store) moved() {
	for _, c := range []chan struct{}{s.progress, s.worked} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// behind tells whether memory may soon take no more of what is not in tables yet, or not so many bytes more: Pebble would make
// writes wait.
func (s *Store) behind(bytes int) bool {
	m := s.db.Metrics()
	size, limit := m.MemTable.Size, (memTables-1)*s.memTable
	return size >= limit || size > s.memTable && size+uint64(bytes) >= limit || m.Levels[0].Sublevels >= stopLevel0 && !s.corrupt.Load()
}

// openError gives the errors of Pebble a class.
func openError(dir string, err error) error {
	switch {
	case errors.Is(err, ErrLocked):
		return fault.Wrap(fault.FailedPrecondition, fmt.Errorf("%w: stop it, or choose another directory", ErrLocked), "open %s", dir)
	case pebble.IsCorruptionError(err):
		return fault.Wrap(fault.Corrupt, err, "open %s", dir)
	}
	return fmt.Errorf("open %s: %w", dir, err)
}

// readError gives an error of a read its class: what fails its checksum, or what the disk does not give back.
func readError(err error, key []byte) error {
	if pebble.IsCorruptionError(err) || errors.Is(err, errUnreadable) {
		return fault.Wrap(fault.Corrupt, err, "read key %x", key)
	}
	return fmt.Errorf("read key %x: %w", key, err)
}

// start checks the format and loads the logs' ends.
func (s *Store) start() error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	return s.loadLogs()
}

// Err is nil, or why the store takes no more writes.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errLocked()
}

func (s *Store) errLocked() error {
	if s.mu.closed {
		return fault.Wrap(fault.Unavailable, ErrClosed, "use data directory")
	}
	return s.mu.failed
}

// failure is Err, but for a store that is closing: what was taken before is still written.
func (s *Store) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.failed
}

// fail makes the store refuse writes from now on.
func (s *Store) fail(cause error) error {
	s.volume.fail(cause)
	defer s.moved()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.failed == nil {
		s.log.Error("data directory failed; this node stops writing", "error", cause)
		s.mu.failed = fault.Wrap(fault.Unavailable, fmt.Errorf("%w: %w", ErrFailed, cause), "write to disk")
	}
	return s.mu.failed
}

// Close waits for commits under way and for open views, then closes the database. Later calls fail with ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return nil
	}
	s.mu.closed = true
	s.mu.Unlock()
	close(s.closing)
	<-s.stopped
	<-s.witnessed
	s.mu.Lock()
	for s.mu.views > 0 {
		s.mu.idle.Wait()
	}
	failed := s.mu.failed
	s.mu.Unlock()
	s.release(s.mu.durable)
	s.volume.close()
	if err := s.db.Close(); err != nil && failed == nil {
		return fmt.Errorf("close data directory: %w", err)
	}
	if failed == nil {
		s.saveWitness(true)
	}
	return nil
}
