// Package kv owns a node's Badger database: the keys, the values' checksums, and when what is durable.
//
// It promises that what Commit reports is on the disk (fsync), that a View never shows less than a whole Batch, and
// that after one failed write nothing is written ever again. It never interprets payloads, vectors or operations.
//
// Badger is used with timestamps of our own (its "managed" mode): the one committer gives each transaction the next
// one, and a view reads at the last one whose fsync succeeded. So readers neither wait for an fsync nor see what a
// crash could take back.
package kv

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Options configures Open.
type Options struct {
	Dir    string       // made if absent
	Logger hclog.Logger // nil: none
	// BeforeWrite, if not nil, is called before each transaction goes to the disk: a simulation makes the disk slow
	// with it, so that crashes happen while commits are under way.
	BeforeWrite func()
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	db  *badger.DB
	log hclog.Logger

	queue   chan *request // unbuffered: a request is with its sender or with the committer
	closing chan struct{}
	stopped chan struct{} // closed when the committer has ended
	txBytes int
	txCount int

	commitAt func(*badger.Txn, uint64) error // a test can make it fail

	mu struct {
		sync.Mutex
		idle    *sync.Cond         // views became 0
		durable uint64             // the timestamp that new views read at
		views   map[uint64]int     // open views by timestamp
		logs    map[uint64]*logEnd // by generation; what durable shows
		failed  error
		closed  bool
	}
}

// Sizes, chosen so that three nodes in one process stay small. A transaction takes at most 15 % of a memtable.
const (
	memTableBytes = 16 << 20
	memTables     = 3
	valueLogBytes = 1 << 20 // nothing is ever written to it
)

// Open opens the database in a directory of its own, or makes it. It finishes the removal of generations that a
// crash interrupted.
func Open(o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	db, err := badger.OpenManaged(badgerOptions(o))
	if err != nil {
		return nil, openError(o.Dir, err)
	}
	s := &Store{
		db: db, log: o.Logger,
		queue: make(chan *request), closing: make(chan struct{}), stopped: make(chan struct{}),
		txBytes: int(db.MaxBatchSize()) * 9 / 10, txCount: int(db.MaxBatchCount()) * 9 / 10,
	}
	s.mu.idle = sync.NewCond(&s.mu)
	s.mu.durable = db.MaxVersion()
	s.mu.views = map[uint64]int{}
	s.mu.logs = map[uint64]*logEnd{}
	s.commitAt = func(txn *badger.Txn, ts uint64) error {
		if o.BeforeWrite != nil {
			o.BeforeWrite()
		}
		return txn.CommitAt(ts, nil)
	}
	go s.runCommitter()
	if err := s.start(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Dir, err), s.Close())
	}
	return s, nil
}

// badgerOptions: no compression, for vectors do not compress and Badger then reads from the page cache without a cache
// of its own; checksums of whole tables are verified when they are opened, while values carry their own for later,
// because Badger takes a block that fails its checksum for one without keys.
func badgerOptions(o Options) badger.Options {
	return badger.DefaultOptions(o.Dir).
		WithLogger(bridge{o.Logger}).
		WithSyncWrites(true).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithMemTableSize(memTableBytes).
		WithNumMemtables(memTables).
		WithNumCompactors(2).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(valueLogBytes).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithChecksumVerificationMode(options.OnTableRead).
		WithMetricsEnabled(false)
}

// openError words what Badger says. It has no error value for a locked directory.
func openError(dir string, err error) error {
	if strings.Contains(err.Error(), "Cannot acquire directory lock") {
		return fault.Wrap(fault.FailedPrecondition, fmt.Errorf("%w: stop it, or choose another directory", ErrLocked), "open %s", dir)
	}
	if strings.Contains(err.Error(), "checksum") {
		return fault.Wrap(fault.Corrupt, err, "open %s", dir)
	}
	return fmt.Errorf("open %s: %w", dir, err)
}

// start checks the format, loads the logs' ends and finishes what was interrupted.
func (s *Store) start() error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	if err := s.finishDrops(); err != nil {
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
	s.mu.Lock()
	for len(s.mu.views) > 0 {
		s.mu.idle.Wait()
	}
	s.mu.Unlock()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close data directory: %w", err)
	}
	return nil
}
