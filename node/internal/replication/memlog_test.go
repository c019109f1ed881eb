package replication_test

import (
	"errors"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

type (
	peerID   = replication.PeerID
	index    = replication.Index
	termNo   = replication.Term
	entry    = replication.Entry
	message  = replication.Message
	viewInfo = replication.View
)

// memLog is a durable log in memory. Entries up to base are compacted away; baseTerm is the term of the last of them.
type memLog struct {
	base     index
	baseTerm termNo
	entries  []entry
}

func (l *memLog) FirstIndex() index { return l.base + 1 }
func (l *memLog) LastIndex() index  { return l.base + index(len(l.entries)) }

func (l *memLog) Term(i index) (termNo, error) {
	switch {
	case i == l.base:
		return l.baseTerm, nil
	case i < l.base || i > l.LastIndex():
		return 0, errors.New("no such entry")
	}
	return l.entries[i-l.base-1].Term, nil
}

func (l *memLog) Entries(lo, hi index, maxBytes int) ([]entry, error) {
	if lo <= l.base || lo > l.LastIndex() {
		return nil, errors.New("no such entry")
	}
	all := l.entries[lo-l.base-1 : min(hi, l.LastIndex()+1)-l.base-1]
	n, bytes := 0, 0
	for n < len(all) && (n == 0 || bytes+len(all[n].Data) <= maxBytes) {
		bytes += len(all[n].Data)
		n++
	}
	return all[:n:n], nil
}

func (l *memLog) cut(from index) {
	if from > l.LastIndex() {
		return
	}
	n := from - l.base - 1
	l.entries = l.entries[:n:n]
}

func (l *memLog) add(entries []entry) {
	for _, e := range entries {
		if e.Index != l.LastIndex()+1 {
			panic("memLog: gap in what a Ready appends")
		}
		l.entries = append(l.entries, e)
	}
}

// compact forgets the entries up to i.
func (l *memLog) compact(i index) {
	l.baseTerm, _ = l.Term(i)
	l.entries = l.entries[i-l.base:]
	l.base = i
}
