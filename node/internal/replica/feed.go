package replica

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/shard"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/slot"
)

// FeedRequest asks the primary of a move's source for what its slots have, or for what of them has changed.
type FeedRequest struct {
	Ref  catalog.ShardRef // the source
	Move catalog.MoveID
	// What the target has, as package move keeps it (move.Incoming).
	Cursor  uint64
	Unsafe  uint64
	Cuts    uint64
	Through []byte
	Full    bool
	Since   uint64
	// Seal, if not 0, asks for the last pass: the source is sealed for that version of the move first, and only what has changed
	// may be sent.
	Seal uint64
}

// FeedChunk is a piece of the answer: its begin, or some points.
type FeedChunk struct {
	Begin *FeedBegin
	shard.Piece
	CRC uint32 // CRC-32C of Data
}

// FeedBegin says what comes.
type FeedBegin struct {
	Cut     uint64 // the source's index
	Unsafe  uint64 // the source's unsafe promotions
	Full    bool   // all points come, else those that have changed since the cursor
	Sealed  uint64 // the version of the move behind whose seal, or right before it, the cut was taken; 0: none
	Points  uint64 // of the slots
	Changed uint64 // that come, unless Full
}

// HintFull marks the refusal of a last pass for which too much would have to be sent.
const HintFull = "full"

// Feed answers from the replica here, which must lead the source of a move that its catalog shows under way. send is called with each
// chunk in order; what the receiver has not taken yet holds up neither the shard nor its Close.
//
// A last pass does not wait for its seal: the seal makes its way while the chunks do. That it stands is what the end without an error says, and
// nothing else does.
//
// Errors: NotPrimary, StaleEpoch and Unavailable say to look at the catalog and ask again; Exhausted that too many are on their way;
// FailedPrecondition with HintFull that this cannot be the last pass.
func (m *Manager) Feed(ctx context.Context, req FeedRequest, send func(FeedChunk) error) error {
	r, err := m.runner(req.Ref)
	if err != nil {
		return err
	}
	var s *sealing
	if req.Seal != 0 {
		if s, err = m.seal(ctx, r, req); err != nil {
			return err
		}
	}
	f, err := m.beginFeed(r, req, s)
	if err != nil {
		return err
	}
	if f.begin.Full {
		if !m.traffic.out.try() {
			f.cut.Close()
			return fault.New(fault.Exhausted, "this node sends as many snapshots as it may already")
		}
		defer m.traffic.out.leave()
	}
	if !r.givers.enter() {
		f.cut.Close()
		return errClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer r.givers.leave()
		defer close(f.chunks)
		defer f.cut.Close()
		f.err = f.run(ctx)
		r.report(f.err)
	}()
	for chunk := range f.chunks {
		if err = send(chunk); err != nil {
			cancel()
			for range f.chunks { // until the reader has noticed
			}
		}
	}
	if err == nil {
		err = f.err
	}
	return err
}

// feeding reads one cut. It has a goroutine of its own, so that a slow receiver never keeps the shard open.
type feeding struct {
	m      *Manager
	r      *runner
	req    FeedRequest
	cut    *shard.SlotCut
	begin  FeedBegin
	seal   *sealing // of a last pass
	chunks chan FeedChunk
	err    error // once chunks is closed
}

// beginFeed takes the cut. The primary is the one that tracks; that it may have been replaced without knowing it does no harm (M6).
func (m *Manager) beginFeed(r *runner, req FeedRequest, s *sealing) (*feeding, error) {
	st := r.status.Load()
	if !st.Leading {
		return nil, notLeading(st)
	}
	unsafe, cursor := st.shard.UnsafePromotions, req.Cursor
	if unsafe != req.Unsafe {
		cursor = 0
	}
	cut, err := r.shard.CutSlots(req.Move, cursor)
	if err != nil {
		return nil, err
	}
	if err := m.restrict(cut, req); err != nil {
		cut.Close()
		return nil, err
	}
	f := &feeding{m: m, r: r, req: req, cut: cut, seal: s, chunks: make(chan FeedChunk)}
	f.begin = FeedBegin{Cut: cut.Applied, Unsafe: unsafe, Full: cut.Full, Points: cut.Points, Changed: cut.Changed}
	if seal, ok := cut.Moves.Seal(req.Move); ok {
		f.begin.Sealed = seal.Version
	}
	if s != nil && cut.Applied+1 >= s.index { // M3: there is no write of the slots behind it
		f.begin.Sealed = req.Seal
	}
	switch {
	case cut.Applied == 0 || unsafe == req.Unsafe && cut.Applied < req.Cuts:
		err = fault.New(fault.Unavailable, "shard %d: %d is applied here, the target has seen %d", req.Ref.Shard, cut.Applied, req.Cuts)
	case req.Seal != 0 && f.begin.Sealed != req.Seal:
		err = fault.New(fault.Unavailable, "shard %d is not sealed for version %d of move %d", req.Ref.Shard, req.Seal, req.Move)
	case req.Seal != 0 && cut.Full:
		err = fault.New(fault.FailedPrecondition, "shard %d: what has changed of the slots is not known: all points have to be compared", req.Ref.Shard).With(HintFull, "true")
	}
	if err != nil {
		cut.Close()
		return nil, err
	}
	return f, nil
}

// restrict narrows the cut of a part of a fill to the points that it copies.
func (m *Manager) restrict(cut *shard.SlotCut, req FeedRequest) error {
	state, _ := m.opts.Metadata.Watch()
	col, ok := state.Collections[req.Ref.Collection]
	if !ok {
		return fault.New(fault.StaleEpoch, "collection %d is gone", req.Ref.Collection)
	}
	mv, ok := col.Move(req.Move)
	if !ok || !mv.Running() {
		return fault.New(fault.StaleEpoch, "move %d is not under way any more", req.Move)
	}
	if mv.Fill == 0 {
		return nil
	}
	encoded, ok := state.FillFilter(mv)
	if !ok {
		return fault.New(fault.StaleEpoch, "operation %d is over", mv.Fill)
	}
	if len(encoded) == 0 {
		return nil
	}
	only, err := filter.CompileEncoded(encoded)
	if err != nil {
		return fmt.Errorf("the filter of operation %d: %w", mv.Fill, err)
	}
	cut.Only(only)
	return nil
}

func notLeading(st *Status) error {
	return fault.New(fault.NotPrimary, "shard %d is not led from this node", st.Ref.Shard).
		With("primary", strconv.FormatUint(uint64(st.shard.Primary), 10)).With("term", strconv.FormatUint(st.shard.Term, 10))
}

func (f *feeding) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.r.proposer.ctx, cancel)() // the shard's Close waits for the cut
	if err := f.send(ctx, FeedChunk{Begin: &f.begin}); err != nil {
		return err
	}
	size := f.m.opts.Transfers.ChunkBytes
	if !f.begin.Full {
		err := f.cut.Changes(ctx, size, func(p shard.Piece) error { return f.send(ctx, FeedChunk{Piece: p, CRC: checksum(p.Data)}) })
		if err == nil && f.seal != nil {
			err = f.seal.stands(ctx, f.req)
		}
		return err
	}
	have := shard.Have{Through: f.req.Through, Index: f.req.Since}
	if f.begin.Unsafe != f.req.Unsafe {
		have.Index = 0 // another history: what is there may be anything
	}
	return f.cut.All(ctx, have, f.req.Full, size, func(p shard.Piece) error {
		if err := f.m.traffic.throttleOut.wait(ctx, len(p.Data)); err != nil {
			return err
		}
		f.m.opts.Metrics.transferred(directionOut, len(p.Data))
		return f.send(ctx, FeedChunk{Piece: p, CRC: checksum(p.Data)})
	})
}

func (f *feeding) send(ctx context.Context, c FeedChunk) error {
	select {
	case f.chunks <- c:
		return nil
	case <-ctx.Done():
		if f.r.proposer.ctx.Err() != nil {
			return errClosed
		}
		return ctx.Err()
	}
}

// Intact reports whether a chunk is as it was sent.
func (c FeedChunk) Intact() bool { return checksum(c.Data) == c.CRC }

// sealing is a seal of the source on its way.
type sealing struct {
	r     *runner
	index uint64     // its place in the log, or one behind it
	entry *Submitted // nil: it is applied here
}

// seal has the source take no more writes of the slots, for a version of a move, and waits until all that came before is applied here.
func (m *Manager) seal(ctx context.Context, r *runner, req FeedRequest) (*sealing, error) {
	st := r.status.Load()
	if !st.Leading {
		return nil, notLeading(st)
	}
	if seal, ok := r.shard.Moves().Seal(req.Move); ok && seal.Version == req.Seal {
		return &sealing{r: r, index: r.shard.Applied()}, nil // at which that showed it
	}
	s, err := m.appendSeal(ctx, r, st.Term, req)
	if err != nil {
		return nil, err
	}
	return s, r.reached(ctx, s.index-1)
}

// stands waits until the seal is committed and applied: here, on W replicas, and on as many as quorum reads rest on (M9). A flip rests on that.
func (s *sealing) stands(ctx context.Context, req FeedRequest) error {
	if s.entry != nil {
		if _, err := s.entry.Wait(ctx); err != nil {
			return err
		}
	}
	if seal, ok := s.r.shard.Moves().Seal(req.Move); !ok || seal.Version != req.Seal {
		return fault.New(fault.Unavailable, "shard %d is not sealed for version %d of move %d", req.Ref.Shard, req.Seal, req.Move)
	}
	st := s.r.status.Load()
	return s.r.spread(ctx, func(now replication.Status) bool {
		need := min(max(st.declared/2+1, int(st.WriteQuorum)), len(now.View.Active))
		have := 1
		for _, p := range now.Peers {
			if p.Role == "active" && uint64(p.Applied) >= s.index {
				have++
			}
		}
		return have >= need
	})
}

// sealPatience is how long a seal waits for the catalog here to show that it may be appended. The target's primary, who made that so, may
// know a moment earlier.
const sealPatience = 200 * time.Millisecond

// appendSeal puts the seal into the log as soon as the catalog here shows that phase.
func (m *Manager) appendSeal(ctx context.Context, r *runner, term uint64, req FeedRequest) (*sealing, error) {
	patience := time.NewTimer(sealPatience)
	defer patience.Stop()
	for {
		news := r.mark.listen()
		entry, err := m.SubmitHere(req.Ref, term, move.Seal{Move: req.Move, Version: req.Seal, Slots: m.slotsOf(req)})
		if err != nil {
			return nil, err
		}
		index, err := entry.placed(ctx)
		if err == nil {
			return &sealing{r: r, index: index, entry: entry}, nil
		}
		if !fault.Is(err, fault.StaleEpoch) {
			return nil, err
		}
		select {
		case <-news:
		case <-patience.C:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (m *Manager) slotsOf(req FeedRequest) []slot.Range {
	state, _ := m.opts.Metadata.Watch()
	if col, ok := state.Collections[req.Ref.Collection]; ok {
		if mv, ok := col.Move(req.Move); ok {
			return mv.Slots
		}
	}
	return nil
}

// Settled waits until every active replica of a shard that is led here holds what the log holds now.
func (m *Manager) Settled(ctx context.Context, ref catalog.ShardRef) error {
	r, err := m.runner(ref)
	if err != nil {
		return err
	}
	var mark replication.Index
	return r.spread(ctx, func(s replication.Status) bool {
		if mark == 0 {
			mark = s.LastIndex
		}
		for _, p := range s.Peers {
			if p.Role == "active" && p.Match < mark {
				return false
			}
		}
		return s.DurableIndex >= mark
	})
}

// maxControl bounds an entry of a move, encoded.
const maxControl = 32 << 20

// Control appends an entry of a move to the log of a shard that is led here in term, and returns its index once W replicas have
// applied it. An error of class Conflict says that it was out of place and did nothing.
func (m *Manager) Control(ctx context.Context, ref catalog.ShardRef, term uint64, op move.Op) (uint64, error) {
	p, err := m.Submit(ref, term, op)
	if err != nil {
		return 0, err
	}
	return p.Wait(ctx)
}

// Submitted is an entry on its way into a log.
type Submitted struct {
	r *runner
	w *write
}

// Submit is Control for who waits later. Entries stand in the log in the order in which they were submitted.
func (m *Manager) Submit(ref catalog.ShardRef, term uint64, op move.Op) (*Submitted, error) {
	return m.submit(ref, term, op, true)
}

// SubmitHere is Submit for who is in a hurry: the entry is waited for until it is committed (Held) and has been applied here (Wait), by whomever
// else or not. What is applied here tells whether it was in its place.
func (m *Manager) SubmitHere(ref catalog.ShardRef, term uint64, op move.Op) (*Submitted, error) {
	return m.submit(ref, term, op, false)
}

func (m *Manager) submit(ref catalog.ShardRef, term uint64, op move.Op, wait bool) (*Submitted, error) {
	r, err := m.runner(ref)
	if err != nil {
		return nil, err
	}
	w := &write{
		shard: ref.Shard, term: replication.Term(term), control: op, op: move.Encode(op), wait: wait, stood: make(chan struct{}), done: make(chan outcome, 1),
	}
	if len(w.op) > maxControl {
		return nil, fault.New(fault.Invalid, "an entry of %d bytes is too large for the log: the limit is %d", len(w.op), maxControl)
	}
	if delta, ok := op.(move.Delta); ok { // a flip may rest on it before it is applied
		if err := shard.CheckTransfer(delta.Data); err != nil {
			return nil, fmt.Errorf("move %d: %w", delta.Move, err)
		}
	}
	if err := r.inbox.putWrite(w); err != nil {
		return nil, err
	}
	return &Submitted{r: r, w: w}, nil
}

// placed returns the entry's index once it stands in the log here, committed or not.
func (s *Submitted) placed(ctx context.Context) (uint64, error) {
	select {
	case <-s.w.stood:
		return uint64(s.w.index), nil
	case out := <-s.w.done:
		s.w.done <- out // for who waits for the rest
		return out.index, out.err
	case <-ctx.Done():
		index, _, err := s.r.late(s.w, ctx.Err())
		return index, err
	}
}

// Wait returns the entry's index once W replicas have applied it or, of SubmitHere, this one has.
func (s *Submitted) Wait(ctx context.Context) (uint64, error) {
	index, err := s.Held(ctx)
	if err == nil && !s.w.wait {
		err = s.r.reached(ctx, index)
	}
	return index, err
}

// Held returns the index of an entry of SubmitHere once W replicas hold it.
func (s *Submitted) Held(ctx context.Context) (uint64, error) {
	select {
	case out := <-s.w.done:
		return out.index, out.err
	case <-ctx.Done():
		index, _, err := s.r.late(s.w, ctx.Err())
		return index, err
	}
}

// reached waits until an index is applied here.
func (r *runner) reached(ctx context.Context, index uint64) error {
	for {
		news := r.mark.listen()
		if r.mark.get() >= index {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fault.New(fault.ClassOf(ctx.Err()), "shard %d: entry %d is committed, and not applied in time on this node", r.ref.Shard, index)
		case <-r.proposer.ctx.Done():
			return errClosed
		}
	}
}

// Office is what a primary knows about its shard's moves.
type Office struct {
	Term     uint64
	Shard    *catalog.Shard // as the catalog has it, as far as the replica knows
	Standing *move.Standing
	Moves    *move.State // as applied
}

// Office tells what the primary of a shard knows, if that is here and has applied what its predecessors have left.
func (m *Manager) Office(ref catalog.ShardRef) (Office, bool) {
	r, err := m.runner(ref)
	if err != nil {
		return Office{}, false
	}
	st := r.status.Load()
	if !st.Leading || !st.settled {
		return Office{}, false
	}
	return Office{Term: st.Term, Shard: st.shard, Standing: st.standing, Moves: r.shard.Moves()}, true
}

// Stray returns what the primary of a shard here has to append to be rid of what no move accounts for, nil if there is nothing.
func (m *Manager) Stray(ref catalog.ShardRef, o Office, limit uint32) move.Op {
	r, err := m.runner(ref)
	if err != nil {
		return nil
	}
	return o.Standing.Stray(o.Moves, func(s slot.Set) bool { return r.shard.RowsIn(s) > 0 }, limit)
}

// RowsIn counts the rows of some slots in the replica here, whoever owns them.
func (m *Manager) RowsIn(ref catalog.ShardRef, slots slot.Set) uint64 {
	r, err := m.runner(ref)
	if err != nil {
		return 0
	}
	return r.shard.RowsIn(slots)
}

// Arrive waits for a place among the transfers to this node; leave gives it back.
func (m *Manager) Arrive(ctx context.Context) (leave func(), err error) {
	if err := m.traffic.in.enter(ctx); err != nil {
		return nil, err
	}
	return m.traffic.in.leave, nil
}

// Throttle spreads what comes to this node over time.
func (m *Manager) Throttle(ctx context.Context, bytes int) error {
	m.opts.Metrics.transferred(directionIn, bytes)
	return m.traffic.throttleIn.wait(ctx, bytes)
}
