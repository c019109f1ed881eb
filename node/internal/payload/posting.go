package payload

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// posting is the labels of one value. Most values have one label: it takes no further memory.
type posting struct {
	n    uint32
	one  uint32 // if n is 1
	more *many  // else
}

// many is the labels of a value that has several: a sorted list while they are few, then a bitmap.
type many struct {
	list []uint32
	bm   *roaring.Bitmap
}

// maxList is up to how many labels a list takes less than a bitmap.
const maxList = 32

// add takes a label that is not there.
func (p *posting) add(label uint32) {
	p.n++
	switch {
	case p.n == 1:
		p.one = label
		return
	case p.n == 2:
		p.more = &many{list: []uint32{min(p.one, label), max(p.one, label)}}
		return
	case p.more.bm != nil:
		p.more.bm.Add(label)
		return
	}
	at, _ := slices.BinarySearch(p.more.list, label)
	p.more.list = slices.Insert(p.more.list, at, label)
	if len(p.more.list) > maxList {
		p.more.bm, p.more.list = roaring.BitmapOf(p.more.list...), nil
	}
}

// remove takes a label out that is there.
func (p *posting) remove(label uint32) {
	p.n--
	switch {
	case p.n == 0:
		return
	case p.more.bm != nil:
		p.more.bm.Remove(label)
	default:
		at, _ := slices.BinarySearch(p.more.list, label)
		p.more.list = slices.Delete(p.more.list, at, at+1)
	}
	if p.n > 1 {
		return
	}
	if p.more.bm != nil {
		p.one = p.more.bm.Minimum()
	} else {
		p.one = p.more.list[0]
	}
	p.more = nil
}

// addTo adds the labels to those gathered.
func (p *posting) addTo(l *labels) {
	switch {
	case p.n == 0:
	case p.more == nil:
		l.list = append(l.list, p.one)
	case p.more.bm != nil:
		l.sets = append(l.sets, p.more.bm)
	default:
		l.list = append(l.list, p.more.list...)
	}
}

// set returns the labels.
func (p *posting) set() set {
	switch {
	case p.n == 0:
		return none()
	case p.more == nil:
		return set{bm: roaring.BitmapOf(p.one)}
	case p.more.bm != nil:
		return set{bm: p.more.bm, shared: true}
	}
	return set{bm: roaring.BitmapOf(p.more.list...)}
}

// dictionary numbers texts, and keeps which labels have which: both ways.
type dictionary struct {
	numbers  map[string]uint32
	names    []string
	postings []posting
	free     []uint32

	has   bitmap              // labels with a text
	first []uint32            // by label: 1 + the number of its only text; 0: it has none, or several
	more  map[uint32][]uint32 // labels with several
	span  uint32              // labels are below it
}

func newDictionary() dictionary {
	return dictionary{numbers: map[string]uint32{}, more: map[uint32][]uint32{}}
}

// put takes the distinct texts of a label that has none.
func (d *dictionary) put(label uint32, texts []string) {
	if len(texts) == 0 {
		return
	}
	d.has.set(label, true)
	d.span = max(d.span, label+1)
	if len(texts) == 1 {
		for int(label) >= len(d.first) {
			d.first = append(d.first, 0)
		}
		d.first[label] = 1 + d.add(label, texts[0])
		return
	}
	numbers := make([]uint32, len(texts))
	for i, t := range texts {
		numbers[i] = d.add(label, t)
	}
	d.more[label] = numbers
}

func (d *dictionary) add(label uint32, text string) uint32 {
	n, ok := d.numbers[text]
	if !ok {
		n = d.number(text)
	}
	d.postings[n].add(label)
	return n
}

func (d *dictionary) number(text string) (n uint32) {
	text = string(append([]byte(nil), text...)) // it may be a part of something large
	if last := len(d.free) - 1; last >= 0 {
		n, d.free = d.free[last], d.free[:last]
		d.names[n] = text
	} else {
		n = uint32(len(d.postings))
		d.postings, d.names = append(d.postings, posting{}), append(d.names, text)
	}
	d.numbers[text] = n
	return n
}

func (d *dictionary) remove(label uint32) {
	if !d.has.has(label) {
		return
	}
	d.has.set(label, false)
	for _, n := range d.of(label) {
		if d.postings[n].remove(label); d.postings[n].n == 0 {
			delete(d.numbers, d.names[n])
			d.names[n], d.postings[n] = "", posting{}
			d.free = append(d.free, n)
		}
	}
	if int(label) < len(d.first) {
		d.first[label] = 0
	}
	delete(d.more, label)
}

// of returns the numbers of the texts of a label.
func (d *dictionary) of(label uint32) []uint32 {
	if int(label) < len(d.first) && d.first[label] != 0 {
		return []uint32{d.first[label] - 1}
	}
	return d.more[label]
}

// with returns the labels that have a text.
func (d *dictionary) with(text string) set {
	n, ok := d.numbers[text]
	if !ok {
		return none()
	}
	return d.postings[n].set()
}

// withAny returns the labels that have one of some texts.
func (d *dictionary) withAny(texts []string) set {
	l := labels{span: d.span}
	for _, t := range texts {
		if n, ok := d.numbers[t]; ok {
			d.postings[n].addTo(&l)
		}
	}
	return l.set()
}

// withOther returns the labels that have a text besides some.
func (d *dictionary) withOther(texts []string) set {
	listed := make(map[uint32]bool, len(texts))
	for _, t := range texts {
		if n, ok := d.numbers[t]; ok {
			listed[n] = true
		}
	}
	some := d.withAny(texts)
	l := labels{span: d.span}
	some.each(func(label uint32) {
		if slices.ContainsFunc(d.more[label], func(n uint32) bool { return !listed[n] }) {
			l.list = append(l.list, label)
		}
	})
	return or(andNot(d.has.shared(), some), l.set())
}

// where returns the labels that have a text that a test passes.
func (d *dictionary) where(test func(text string) bool) set {
	l := labels{span: d.span}
	for n := range d.postings {
		if d.postings[n].n > 0 && test(d.names[n]) {
			d.postings[n].addTo(&l)
		}
	}
	return l.set()
}
