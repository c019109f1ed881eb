package kv

import (
	"context"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// unit is what is never split over transactions.
type unit struct {
	writes []write
	bytes  int
}

// planner turns one batch into units, in the order in which they must reach the disk.
type planner struct {
	store  *Store
	staged map[uint64]*logEnd // by earlier batches of the same transaction
	ends   map[uint64]*logEnd // by this batch

	units []unit
	bytes int
	count int
}

// scansLog reports whether planning b reads the log from the disk.
func (b *Batch) scansLog() bool {
	return slices.ContainsFunc(b.body, func(c change) bool { return c.log > logAppend })
}

func (p *planner) plan(b *Batch) error {
	for _, section := range [][]change{b.head, b.body, b.tail} {
		for _, c := range section {
			if err := p.change(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *planner) change(c change) error {
	if c.log == noLogChange {
		p.unit(c.writes...)
		return nil
	}
	end, err := p.end(c.generation)
	if err != nil {
		return err
	}
	switch c.log {
	case logAppend:
		end, err = p.append(c, end)
	case logTruncate:
		end, err = p.truncate(c, end)
	case logCompact:
		end, err = p.compact(c, end)
	case logBase:
		end, err = p.rebase(c)
	case noLogChange: // returned above
	}
	if err == nil {
		p.ends[c.generation] = end
	}
	return err
}

func (p *planner) unit(writes ...write) {
	u := unit{writes: writes}
	for _, w := range writes {
		u.bytes += w.cost()
	}
	p.units = append(p.units, u)
	p.bytes += u.bytes
	p.count += len(writes)
}

// end returns the end of a log as it is when everything planned so far is done.
func (p *planner) end(generation uint64) (*logEnd, error) {
	if l, ok := p.ends[generation]; ok {
		return l, nil
	}
	if l, ok := p.staged[generation]; ok {
		return l, nil
	}
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	l, ok := p.store.mu.logs[generation]
	if !ok {
		return emptyLog(0, 0), nil
	}
	return l, l.broken
}

func (p *planner) append(c change, end *logEnd) (*logEnd, error) {
	end, err := end.appended(c.entry)
	if err != nil {
		return nil, err
	}
	for part, value := range sealEntry(c.entry) {
		p.unit(write{keyLog(c.generation, c.entry.Index, uint16(part)), value})
	}
	return end, nil
}

// truncate removes the last key first, so that a crash leaves the log contiguous from the front.
func (p *planner) truncate(c change, end *logEnd) (*logEnd, error) {
	end, err := end.truncated(c.index)
	if err != nil {
		return nil, err
	}
	return end, p.deleteLog(c.generation, c.index)
}

// compact moves the base first: what lies before it is not part of the log, whether it is still there or not, and the
// next start removes it. It looks no further to the front than the log reaches: Badger would pass by all that was ever
// compacted away.
func (p *planner) compact(c change, end *logEnd) (*logEnd, error) {
	if c.index < end.first {
		return end, nil
	}
	compacted, err := end.compacted(c.index)
	if err != nil {
		return nil, err
	}
	key := keyField(c.generation, fieldBase)
	p.unit(write{key, sealNumbers(key, c.index, compacted.term(c.index))})
	keys, err := p.logKeys(c.generation, end.first, c.index)
	for _, k := range keys {
		p.unit(write{key: k})
	}
	return compacted, err
}

// rebase empties the log, from the end, before it sets another base.
func (p *planner) rebase(c change) (*logEnd, error) {
	if err := p.deleteLog(c.generation, 0); err != nil {
		return nil, err
	}
	key := keyField(c.generation, fieldBase)
	p.unit(write{key, sealNumbers(key, c.index, c.term)})
	return emptyLog(c.index, c.term), nil
}

func (p *planner) deleteLog(generation, from uint64) error {
	keys, err := p.logKeys(generation, from, ^uint64(0))
	for _, k := range slices.Backward(keys) {
		p.unit(write{key: k})
	}
	return err
}

// logKeys lists what is stored of a log between two indexes (both included). Nothing of the log may be under way.
func (p *planner) logKeys(generation, from, through uint64) (keys [][]byte, err error) {
	if _, ok := p.ends[generation]; ok {
		return nil, fault.New(fault.Internal, "a batch must truncate or compact a log before anything else that it does to it")
	}
	v := p.store.ownView()
	defer v.Close()
	err = v.scan(context.Background(), keyField(generation, fieldLog), keyLog(generation, from, 0),
		func(key []byte, _ *badger.Item) (bool, error) {
			index, _, err := cutLogKey(key)
			if err != nil || index > through {
				return false, err
			}
			keys = append(keys, slices.Clone(key))
			return true, nil
		})
	return keys, err
}
