package shard

import (
	"bytes"
	"context"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/move"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/mutation"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Intake fills a generation from cuts of another replica, in passes: Begin, Take for each piece in order, and Check. Each
// pass may be of another cut, so what a crash, a lost connection or a replaced source interrupts goes on with whatever
// cut there is next: points that the generation has as that cut does are not sent again, and those that the cut lacks are deleted.
// Complete makes the generation a replica. It is not safe for concurrent use, and nobody else may touch the generation.
type Intake struct {
	store *kv.Store
	gen   uint64
	fill  kv.Fill
	at    []byte // the last point of this pass, nil at its start
	index uint64 // of this pass's cut
}

// OpenIntake goes on with what is stored of a generation.
func OpenIntake(store *kv.Store, gen uint64) (*Intake, error) {
	fill, _, err := store.Fill(gen)
	if err != nil {
		return nil, err
	}
	return &Intake{store: store, gen: gen, fill: fill}, nil
}

// Whole reports whether the generation was completed.
func (in *Intake) Whole() bool { return in.fill.Whole }

// Have tells what need not be sent.
func (in *Intake) Have() Have { return Have{Through: in.fill.Through, Index: in.fill.Index} }

// Begin starts a pass with a cut at index. It fails if the cut is older than what is there.
func (in *Intake) Begin(ctx context.Context, index uint64) error {
	if in.fill.Through != nil && index < in.fill.Index {
		return fault.New(fault.Unavailable, "the source has applied %d, what is here is as of %d", index, in.fill.Index)
	}
	in.at, in.index = nil, index
	if in.fill.Through != nil {
		return nil
	}
	in.fill.Index = index
	b := &kv.Batch{}
	b.SetFill(in.gen, in.fill)
	return in.store.Commit(ctx, b)
}

// Take stores the points of a piece, durably, and returns how many there are. An error of class Corrupt is of the piece, or
// says that a point that need not be sent is not here: see Restart.
func (in *Intake) Take(ctx context.Context, data []byte) (points int, err error) {
	all, err := transfers(data)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	v, err := in.store.View()
	if err != nil {
		return 0, err
	}
	defer v.Close()
	last := all[len(all)-1].id
	m := merge{in: in, view: v, batch: &kv.Batch{}}
	if m.own, err = in.between(ctx, v, &last); err != nil {
		return 0, err
	}
	for _, t := range all {
		if t.gone {
			return 0, fault.New(fault.Corrupt, "transfer: point %s is named as gone", t.id)
		}
		if err := m.take(ctx, t); err != nil {
			return 0, err
		}
	}
	return len(all), m.flush(ctx)
}

// between lists the points that are here behind the last one of this pass, up to an id (nil: all).
func (in *Intake) between(ctx context.Context, v *kv.View, last *point.ID) (own []kv.Record, err error) {
	var from *point.ID
	if in.at != nil {
		id, _, err := point.CutKey(in.at)
		if err != nil {
			return nil, err
		}
		from = &id
	}
	err = v.ScanPayloads(ctx, in.gen, from, func(r kv.Record) (bool, error) {
		switch {
		case last != nil && r.ID.Compare(*last) > 0:
			return false, nil
		case from != nil && r.ID == *from:
			return true, nil
		}
		r.Body = nil // valid during the call only
		own = append(own, r)
		return true, nil
	})
	return own, err
}

// merge brings a stretch of ids to what a piece says of it.
type merge struct {
	in    *Intake
	view  *kv.View
	own   []kv.Record // not yet met, ascending
	batch *kv.Batch
}

func (m *merge) take(ctx context.Context, t transferred) error {
	key := t.id.AppendKey(nil)
	if m.in.at != nil && bytes.Compare(key, m.in.at) <= 0 {
		return fault.New(fault.Corrupt, "transfer: point %s comes out of order", t.id)
	}
	for len(m.own) > 0 && m.own[0].ID.Compare(t.id) < 0 {
		if err := m.drop(ctx); err != nil {
			return err
		}
	}
	here := len(m.own) > 0 && m.own[0].ID == t.id
	var old kv.Refs
	if here {
		var err error
		if old, err = m.refs(m.own[0]); err != nil {
			return err
		}
		m.own = m.own[1:]
	}
	if t.same {
		if !here {
			return fault.New(fault.Corrupt, "transfer: point %s was not sent and is not here", t.id)
		}
		m.in.at = key
		return nil
	}
	b := &kv.Batch{}
	var vectors []byte
	if t.hasVectors {
		vectors = t.vectors.Body
	}
	putTransferred(b, m.in.gen, t, vectors, old)
	if err := m.add(ctx, b); err != nil {
		return err
	}
	m.in.at = key
	return nil
}

// putTransferred stores both records with their own versions. They go into one unit of the batch only where they are equal;
// else a crash may leave one of them old, which the next pass finds, for it goes by the progress that is stored after both.
func putTransferred(b *kv.Batch, gen uint64, t transferred, vectors []byte, old kv.Refs) {
	if vectors == nil || t.vectors.Version == t.payload.Version {
		b.PutPoint(gen, t.id, t.payload.Version, t.payload.Body, vectors, old)
		return
	}
	b.PutVectors(gen, t.id, t.vectors.Version, vectors, old)
	b.PutPayload(gen, t.id, t.payload.Version, t.payload.Body, old)
}

// refs finds where the records of a point are that is here.
func (m *merge) refs(r kv.Record) (kv.Refs, error) {
	vectors, _, err := m.view.Vectors(m.in.gen, r.ID)
	return kv.Refs{Payload: r.Ref, Vectors: vectors.Ref}, err
}

// drop deletes the first point that the cut does not have.
func (m *merge) drop(ctx context.Context) error {
	old, err := m.refs(m.own[0])
	if err != nil {
		return err
	}
	b := &kv.Batch{}
	b.DeletePoint(m.in.gen, m.own[0].ID, old)
	m.own = m.own[1:]
	return m.add(ctx, b)
}

func (m *merge) add(ctx context.Context, b *kv.Batch) error {
	if !m.batch.Empty() && !m.batch.Fits(b) {
		if err := m.flush(ctx); err != nil {
			return err
		}
	}
	m.batch.Append(b)
	return nil
}

// flush makes the changes durable, and with them how far the generation is filled.
func (m *merge) flush(ctx context.Context) error {
	if bytes.Compare(m.in.at, m.in.fill.Through) > 0 {
		m.in.fill.Through = m.in.at
		m.batch.SetFill(m.in.gen, m.in.fill)
	}
	b := m.batch
	m.batch = &kv.Batch{}
	return m.in.store.Commit(ctx, b)
}

// Check ends a pass whose cut has the sum want: it deletes what the cut does not have, and reads back everything that is stored.
// Its error is of class Corrupt if that is not what the cut has: see Restart.
func (in *Intake) Check(ctx context.Context, want Tally) error {
	if err := in.dropRest(ctx); err != nil {
		return err
	}
	v, err := in.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	got, err := tallyOf(ctx, v, in.gen)
	if err != nil {
		return err
	}
	if got != want && !mutation.On(mutation.UncheckedSnapshot) {
		return fault.New(fault.Corrupt, "transfer: %d points with digest %x are here, the source has %d with %x", got.Points, got.Digest, want.Points, want.Digest)
	}
	in.fill.Index = in.index
	return nil
}

// dropRest deletes the points behind the last one of the cut.
func (in *Intake) dropRest(ctx context.Context) error {
	v, err := in.store.View()
	if err != nil {
		return err
	}
	defer v.Close()
	m := merge{in: in, view: v, batch: &kv.Batch{}}
	if m.own, err = in.between(ctx, v, nil); err != nil {
		return err
	}
	for len(m.own) > 0 {
		if err := m.drop(ctx); err != nil {
			return err
		}
	}
	return m.flush(ctx)
}

// Complete makes a generation that was checked a replica that begins behind the cut, whose last entry has term, in one transaction.
// moves is what came with the cut.
func (in *Intake) Complete(ctx context.Context, term uint64, moves []byte) error {
	if _, err := move.DecodeState(moves); err != nil {
		return err
	}
	in.fill = kv.Fill{Whole: true, Index: in.index}
	b := &kv.Batch{}
	b.SetLogBase(in.gen, in.index, term)
	b.SetApplied(in.gen, in.index)
	b.SetMoves(in.gen, moves)
	b.SetFill(in.gen, in.fill)
	return in.store.Commit(ctx, b)
}

// Restart deletes everything that is here, after damage: the next pass is sent every point.
func (in *Intake) Restart(ctx context.Context) error {
	in.fill, in.at = kv.Fill{}, nil
	return in.store.DropGeneration(ctx, in.gen)
}
