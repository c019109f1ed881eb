package replication

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sliceLog is a durable log without compaction.
type sliceLog []Entry

func (l sliceLog) FirstIndex() Index { return 1 }
func (l sliceLog) LastIndex() Index  { return Index(len(l)) }

func (l sliceLog) Term(i Index) (Term, error) {
	if i == 0 {
		return 0, nil
	}
	if i > l.LastIndex() {
		return 0, errors.New("no such entry")
	}
	return l[i-1].Term, nil
}

func (l sliceLog) Entries(lo, hi Index, _ int) ([]Entry, error) {
	return slices.Clone(l[lo-1 : min(hi-1, l.LastIndex())]), nil
}

// TestTailShowsOneLogWhateverIsOutstanding appends, cuts, hands out and makes durable in any order: the tail always reads as
// the plain slice does, and the disk ends up the same.
func TestTailShowsOneLogWhateverIsOutstanding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := sliceLog{}
		want := []Entry{}
		log := newTail(&disk)
		term, outstanding, cut, carried := Term(1), false, Index(0), []Entry(nil)
		finish := func() {
			if cut != 0 {
				disk = slices.Clone(disk[:min(cut-1, disk.LastIndex())])
			}
			disk = append(disk, carried...)
			log.advance()
			outstanding = false
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(*rapid.T) {
				e := Entry{Term: term, Index: log.last() + 1}
				log.append(e)
				want = append(want, e)
			},
			"truncate": func(t *rapid.T) {
				if len(want) == 0 {
					return
				}
				i := Index(rapid.IntRange(1, len(want)).Draw(t, "from"))
				term++
				log.truncate(i)
				want = slices.Clone(want[:i-1])
			},
			"take": func(*rapid.T) {
				if !outstanding {
					cut, carried = log.take()
					outstanding = true
				}
			},
			"finish": func(*rapid.T) {
				if outstanding {
					finish()
				}
			},
			"": func(t *rapid.T) { checkTail(t, &log, want) },
		})
		if outstanding {
			finish()
		}
		cut, carried = log.take()
		finish()
		if !slices.EqualFunc(disk, want, sameEntry) || log.durable() != Index(len(want)) {
			t.Fatalf("disk has %v, want %v; durable %d", disk, want, log.durable())
		}
	})
}

func sameEntry(a, b Entry) bool { return a.Term == b.Term && a.Index == b.Index }

func checkTail(t *rapid.T, log *tail, want []Entry) {
	if log.last() != Index(len(want)) {
		t.Fatalf("last is %d, want %d", log.last(), len(want))
	}
	for lo := Index(1); lo <= log.last(); {
		got, err := log.read(lo, log.last(), 1)
		if err != nil || len(got) == 0 {
			t.Fatalf("read %d: %v, %d entries", lo, err, len(got))
		}
		for _, e := range got {
			if !sameEntry(e, want[lo-1]) {
				t.Fatalf("entry %d is %v, want %v", lo, e, want[lo-1])
			}
			lo++
		}
	}
	if _, ok := log.term(log.last() + 1); ok {
		t.Fatal("a term beyond the end")
	}
}
