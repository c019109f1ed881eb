package shard

import (
	"slices"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// part is the payload or the vectors of a draft.
type part[T any] struct {
	value   T
	loaded  bool // value is what is stored, or will be
	changed bool // by an operation that is not published yet
	version uint64
	bytes   int
}

func (p *part[T]) set(value T, version uint64, bytes int) {
	*p = part[T]{value: value, loaded: true, changed: true, version: version, bytes: bytes}
}

// draft is a point on its way: as it is in memory and store, or as operations changed it that are not published.
type draft struct {
	id      point.ID
	label   uint32 // once it is published
	exists  bool
	payload part[point.Payload]
	row     payload.Row // of the payload, for its indexes; made by whoever publishes or forgets the payload
	vectors part[point.VectorSet]
	refs    kv.Refs
	touched []string   // names of vectors to publish; those without a value are removed
	raw     *kv.Record // the payload record, while a scan stands at it
}

func (d *draft) decodePayload(rec kv.Record) (err error) {
	d.payload.value, err = point.DecodePayload(rec.Body)
	d.payload.loaded, d.payload.version, d.payload.bytes = err == nil, rec.Version, len(rec.Body)
	return err
}

func (d *draft) touch(names []string) {
	if len(d.touched) == 0 {
		d.touched = names // shared by all points of an operation
		return
	}
	d.touched = slices.Clone(d.touched)
	for _, n := range names {
		if !slices.Contains(d.touched, n) {
			d.touched = append(d.touched, n)
		}
	}
}

// forget drops what publish does not need, so that the memory of a sweep is bounded by the number of points.
func (d *draft) forget(fields *payload.Set) {
	d.index(fields)
	d.payload.value, d.payload.loaded = nil, false
	d.vectors.loaded = false
	for _, name := range d.vectors.value.Names() {
		if !slices.Contains(d.touched, name) {
			d.vectors.value.Delete(name)
		}
	}
}

// index makes the row of a payload that changed.
func (d *draft) index(fields *payload.Set) {
	if d.exists && d.payload.changed && d.row == nil {
		d.row = fields.Extract(d.payload.value)
	}
}

// drafts are the points that operations changed.
type drafts struct {
	byID  map[point.ID]*draft
	order []*draft
}

func newDrafts() drafts { return drafts{byID: map[point.ID]*draft{}} }

func (ds *drafts) add(d *draft) {
	if ds.byID[d.id] != d {
		ds.byID[d.id] = d
		ds.order = append(ds.order, d)
	}
}

// merge takes over the drafts of a later operation, which began as copies of these.
func (ds *drafts) merge(later *drafts) {
	for _, d := range later.order {
		if old, ok := ds.byID[d.id]; ok {
			*old = *d
		} else {
			ds.add(d)
		}
	}
}

// copyOf returns a draft that can change without this one.
func (d *draft) copyOf() *draft {
	c := *d
	if c.payload.loaded {
		c.payload.value = c.payload.value.Clone()
	}
	if c.vectors.loaded {
		c.vectors.value = d.vectors.value.Clone()
	}
	return &c
}
