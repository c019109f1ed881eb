package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
)

// Options configures Open.
type Options struct {
	Store      *kv.Store // stays the caller's, and open until Close has returned
	Generation uint64
	Schema     Schema
	Logger     hclog.Logger // nil: none
	// Dir is where indexes are kept, in a directory per generation; "" keeps none. What is there is only ever a copy.
	Dir string
	// Builds bounds how many payload indexes are filled at once, over all shards that share it. Nil: nothing does.
	Builds chan struct{}
	// Pool is what the indexes of a node share to build graphs; nil: each has its own.
	Pool *dense.Pool
	// Closing ends the wait of a change for room on a full disk: it is closed before Close is called. Nil: nothing does.
	Closing <-chan struct{}
}

// Shard is one local copy of a shard. Its methods are safe for concurrent use.
//
// Payloads stay in the store; ids, versions and vectors are also in memory. What readers see is always the memory and
// a view of the store of the same moment: a change is made durable first, while readers go on with the memory as it was
// and a view pinned before the change; then the memory changes and the pin goes, in one step under the lock. A reader
// holds that lock only to take the view and snapshots of the memory, and walks those without it, so that neither
// readers nor the writer wait for one another. If the change fails on the disk, nobody knows what the store holds, and
// the shard answers nothing any more.
type Shard struct {
	store *kv.Store
	gen   uint64
	log   hclog.Logger
	pool  *dense.Pool
	dir   string // of this generation's indexes, "" for none

	partBytes  int                   // how much a sweep collects before it stores a part
	sweepShare uint64                // when it trusts an index to find what it visits
	commit     func(*kv.Batch) error // makes a batch durable
	applying   sync.Mutex            // one Apply at a time; taken before mu
	readers    sync.WaitGroup        // reads under way; added to under mu
	epochs     epochs                // what they have seen
	builds     builds                // payload indexes being filled
	plans      plans                 // of filters that come again and again
	keeper     *keeper               // saves indexes

	mu struct {
		sync.RWMutex
		schema  Schema
		mark    uint64            // the schema's
		spaces  map[string]*space // replaced as a whole
		table   *table
		fields  *payload.Set // changed by publish, by builds, and where the schema is
		seq     uint64       // of the last publish
		applied uint64
		pending uint64   // reads wait until this index is applied: a part of it is stored already
		pinned  *kv.View // what readers see while a change is being stored
		failed  error
		closed  bool

		moves    *move.State    // as of applied
		standing *move.Standing // nil: nobody has told
		counts   *rowCounts
		trackers []*tracker
		hidden   uint64 // rows of slots that the shard does not own
	}
}

// Open loads a shard from the store. A generation of which nothing is stored is an empty shard.
func Open(o Options) (*Shard, error) {
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	s := &Shard{
		store: o.Store, gen: o.Generation, log: o.Logger, partBytes: kv.AtomicBytes / 2, sweepShare: sweepShare, keeper: newKeeper(),
		pool: o.Pool, plans: plans{least: leastKept},
	}
	if o.Dir != "" {
		s.dir = generationDir(o.Dir, o.Generation)
	}
	// A change that was begun is finished whatever happens to the caller's context: otherwise the memory would not know
	// what the disk holds.
	s.commit = func(b *kv.Batch) error { return s.store.CommitUntil(o.Closing, b) }
	s.builds.init(o.Builds)
	s.mu.table = newTable()
	s.mu.counts = new(rowCounts)
	s.mu.spaces = map[string]*space{}
	s.mu.schema, s.mu.mark = o.Schema, o.Schema.Mark()
	if err := s.open(); err != nil {
		s.builds.close()
		return nil, errors.Join(fmt.Errorf("open shard, generation %d: %w", o.Generation, err), closeAll(s.mu.spaces))
	}
	if s.dir != "" {
		s.keeper.wg.Go(s.keep)
	}
	return s, nil
}

// open makes the indexes that the schema wants, and loads what is stored into them.
func (s *Shard) open() error {
	for name, v := range s.mu.schema.Vectors {
		sp, err := s.newSpace(name, v)
		if err != nil {
			return err
		}
		s.mu.spaces[name] = sp
	}
	if err := s.load(); err != nil {
		return err
	}
	if err := s.loadFields(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reviewLocked()
	return nil
}

// SetSchema makes the shard follow its collection: vectors that are new get an index, others lose theirs, and indexes that
// are to be kept differently are built anew in the background. It waits for
// the Apply under way. If it cannot read the store, the shard fails.
func (s *Shard) SetSchema(schema Schema) {
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.setSchema(schema); err != nil {
		_ = s.fail(err)
	}
}

func (s *Shard) setSchema(schema Schema) (err error) {
	fresh, spaces := map[string]*space{}, map[string]*space{}
	shown := false
	defer func() {
		if !shown {
			err = errors.Join(err, closeAll(fresh))
		}
	}()
	for name, v := range schema.Vectors {
		if old, ok := s.mu.spaces[name]; ok && old.follows(v) {
			spaces[name] = old
			continue
		}
		sp, err := s.newSpace(name, v)
		if err != nil {
			return err
		}
		fresh[name], spaces[name] = sp, sp
	}
	if err := s.fillSpaces(fresh); err != nil {
		return err
	}
	if err := s.setFields(schema.Fields); err != nil {
		return err
	}
	for name, sp := range s.mu.spaces {
		if spaces[name] != sp {
			sp.stop() // its worker may want the lock
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, before := s.mu.spaces, s.mu.schema
	s.mu.schema, s.mu.mark, s.mu.spaces, shown = schema, schema.Mark(), spaces, true
	if len(fresh) > 0 || before.Tenants != schema.Tenants || !slices.Equal(before.Values, schema.Values) {
		s.reviewLocked()
	}
	var errs []error
	for name, sp := range old {
		if spaces[name] != sp {
			errs = append(errs, sp.close(), s.forget(name))
		}
	}
	return errors.Join(errs...)
}

// fillSpaces indexes what is stored already under new names. Only Apply changes labels, and it is not running.
func (s *Shard) fillSpaces(fresh map[string]*space) error {
	if len(fresh) == 0 {
		return nil
	}
	v, err := s.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	defer publishAll(fresh)
	return v.ScanVectors(context.Background(), s.gen, nil, func(r kv.Record) (bool, error) {
		return true, s.index(s.mu.table.labels[r.ID], r.Body, fresh)
	})
}

// Applied returns the index of the last operation that is applied and durable.
func (s *Shard) Applied() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.applied
}

// Info counts what the shard holds.
func (s *Shard) Info() Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	info := Info{Points: uint64(len(s.mu.table.labels)) - s.mu.hidden, Bytes: s.mu.table.bytes, PayloadBytes: s.mu.table.payloads}
	for _, sp := range s.mu.spaces {
		info.Vectors += uint64(sp.len())
	}
	return info
}

// Indexes tells how far the vectors are indexed.
func (s *Shard) Indexes() (x Indexes) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, sp := range s.mu.spaces {
		if sp.dense == nil {
			x.Indexed += uint64(sp.len())
			continue
		}
		st := sp.dense.Status()
		x.Indexed += uint64(st.Indexed)
		x.Busy = x.Busy || st.Busy
		if st.Problem != nil {
			x.Problem = fmt.Sprintf("vector %q is not indexed: %v", name, st.Problem)
		}
	}
	x.Fields, x.Schema = s.mu.fields.Statuses(), s.mu.mark
	for _, f := range x.Fields {
		x.Busy = x.Busy || !f.Ready
	}
	return x
}

// Settled waits until the indexes have nothing left to build.
func (s *Shard) Settled(ctx context.Context) error {
	s.mu.RLock()
	spaces := s.mu.spaces
	s.mu.RUnlock()
	for _, sp := range spaces {
		if sp.dense == nil {
			continue
		}
		if err := sp.dense.Settled(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fail makes the shard answer nothing any more.
func (s *Shard) fail(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.failed == nil {
		s.log.Error("shard failed; it answers nothing until the node restarts", "generation", s.gen, "error", cause)
		s.mu.failed = fault.Wrap(fault.ClassOf(cause), cause, "this copy of the shard failed")
	}
	return s.mu.failed
}

func (s *Shard) stateLocked() error {
	if s.mu.closed {
		return fault.New(fault.Unavailable, "the shard is closed")
	}
	return s.mu.failed
}

// Close waits for reads and the Apply under way. Later calls fail with fault.Unavailable.
func (s *Shard) Close() error {
	s.mu.Lock()
	closed := s.mu.closed
	s.mu.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	s.builds.close()
	s.readers.Wait()
	s.keeper.close()
	s.saveLast()
	if s.mu.pinned != nil { // left by a failed change
		s.mu.pinned.Close()
	}
	return closeAll(s.mu.spaces)
}

func closeAll(spaces map[string]*space) error {
	var errs []error
	for _, sp := range spaces {
		errs = append(errs, sp.close())
	}
	return errors.Join(errs...)
}
