package kv

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
		end = p.rebase(c)
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
		p.unit(write{key: keyLog(c.generation, c.entry.Index, uint16(part)), value: value})
	}
	return end, nil
}

// truncate removes the end of the log.
func (p *planner) truncate(c change, end *logEnd) (*logEnd, error) {
	end, err := end.truncated(c.index)
	if err == nil {
		p.unit(deleteLog(c.generation, c.index, ^uint64(0)))
	}
	return end, err
}

// compact moves the base and removes what lies before it, together.
func (p *planner) compact(c change, end *logEnd) (*logEnd, error) {
	if c.index < end.first {
		return end, nil
	}
	compacted, err := end.compacted(c.index)
	if err == nil {
		p.unit(baseOf(c.generation, c.index, compacted.term(c.index)), deleteLog(c.generation, 0, c.index))
	}
	return compacted, err
}

// rebase empties the log and sets another base, together.
func (p *planner) rebase(c change) *logEnd {
	p.unit(deleteLog(c.generation, 0, ^uint64(0)), baseOf(c.generation, c.index, c.term))
	return emptyLog(c.index, c.term)
}

func baseOf(generation, index, term uint64) write {
	key := keyField(generation, fieldBase)
	return write{key: key, value: sealNumbers(key, index, term)}
}

// deleteLog removes the entries between two indexes, both included.
func deleteLog(generation, from, through uint64) write {
	end := after(keyField(generation, fieldLog))
	if through+1 != 0 {
		end = keyLog(generation, through+1, 0)
	}
	return write{key: keyLog(generation, from, 0), end: end}
}
