package dense_test

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/dense"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// typed draws vectors that a datatype holds, as a shard stores them.
type typed struct {
	*cloud
	t vec.Datatype
	d vec.Distance
}

func (c typed) draw() []float32 {
	if c.t != vec.ByteType {
		return c.t.Held(c.cloud.draw(c.d))
	}
	v := c.cloud.draw(vec.Dot)
	for i := range v {
		v[i] = 100 + 50*v[i]
	}
	return c.t.Held(v)
}

// exactly is the score in float64.
func exactly(t vec.Datatype, d vec.Distance, a, b []float32) float64 {
	var sum, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		switch d {
		case vec.Euclid:
			sum += (x - y) * (x - y)
		case vec.Manhattan:
			sum += math.Abs(x - y)
		default:
			sum, aa, bb = sum+x*y, aa+x*x, bb+y*y
		}
	}
	switch {
	case d == vec.Euclid:
		return math.Sqrt(sum)
	case d == vec.Cosine && t == vec.ByteType:
		return sum / math.Sqrt(aa*bb)
	}
	return sum
}

func eachDatatype(t *testing.T, distances []vec.Distance, test func(t *testing.T, datatype vec.Datatype, d vec.Distance)) {
	for _, datatype := range []vec.Datatype{vec.Float32, vec.HalfType, vec.ByteType} {
		for _, d := range distances {
			t.Run(fmt.Sprintf("%s %s", datatype, d), func(t *testing.T) { test(t, datatype, d) })
		}
	}
}

// Rows of a datatype are as long as its components, are found through the graph, compared exactly, and the same after they
// were saved.
func TestVectorsAreHeldAsTheirDatatype(t *testing.T) {
	const size = 30
	count := uint32(2000)
	if raced {
		count = 300
	}
	eachDatatype(t, distances, func(t *testing.T, datatype vec.Datatype, d vec.Distance) {
		c := typed{newCloud(4, size, 20), datatype, d}
		o := dense.Options{Size: size, Distance: d, Datatype: datatype, Config: graphConfig}
		x := newIndex(t, o)
		want := map[uint32][]float32{}
		for l := range count {
			want[l] = c.draw()
			put(t, x, l, want[l]...)
		}
		x.Publish()
		settle(t, x)
		long := map[vec.Datatype]int{vec.Float32: 4 * size, vec.HalfType: 2 * size, vec.ByteType: size}[datatype]
		if datatype == vec.ByteType && d == vec.Cosine {
			long = size + 2 + 4 // the length, where it can be read
		}
		if x.RowBytes() != long {
			t.Errorf("a row takes %d bytes, want %d", x.RowBytes(), long)
		}
		dir := t.TempDir()
		save(t, x, dir, 1)
		if info, err := os.Stat(filepath.Join(dir, "rows-1")); err != nil || info.Size() != int64(count)*int64(long) {
			t.Error(info, err)
		}
		y := newIndex(t, o)
		if _, err := y.Load(dir, func(id point.ID, _ uint64) (uint32, bool) { return uint32(id.Number()), true }); err != nil {
			t.Fatal(err)
		}
		if y.Working() {
			t.Error("something is done again after a restart")
		}
		found := 0
		for range 50 {
			q := c.draw()
			found += agreeing(t, x, y, q, func(l uint32) (bits float32, exact float64) {
				return dense.Score(datatype, d, q, want[l]), exactly(datatype, d, q, want[l])
			})
		}
		if found < 485 {
			t.Errorf("%d of 500 were found", found)
		}
		closeIndex(t, x)
		closeIndex(t, y)
	})
}

// agreeing compares searches of an index and of its copy, and returns how many of the ten nearest the graph leads to.
func agreeing(t *testing.T, x, y *dense.Index, q []float32, score func(uint32) (bits float32, exact float64)) (found int) {
	t.Helper()
	all, err := now(x, q, 10, nil)
	copied, err2 := now(y, q, 10, nil)
	if err != nil || err2 != nil || !slices.Equal(all, copied) {
		t.Fatalf("%v, %v; its copy: %v, %v", all, err, copied, err2)
	}
	s := x.Snapshot()
	defer s.Release()
	walked, err := s.Search(t.Context(), dense.Query{Vector: q, Limit: 10, Before: ascending, Params: dense.Params{Ef: 100}})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range append(slices.Clone(all), walked...) {
		bits, exact := score(h.Label)
		if h.Score != bits || math.Abs(float64(bits)-exact) > 1e-5*(1+math.Abs(exact)) {
			t.Fatalf("label %d scores %v; alone %v, exactly %v", h.Label, h.Score, bits, exact)
		}
	}
	for _, h := range all {
		if slices.Contains(walked, h) {
			found++
		}
	}
	return found
}

// ofFirstVersion turns a state file into what the first version of the format is: the header ends before what was judged.
func ofFirstVersion(t *testing.T, dir string) {
	t.Helper()
	const header, judged = 8 + 12*4 + 4 + 8, 8
	name := filepath.Join(dir, "state")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	old := binary.LittleEndian.AppendUint32(append([]byte(nil), b[:8]...), 1)
	old = append(append(old, b[12:header]...), b[header+judged:len(b)-4]...)
	old = binary.LittleEndian.AppendUint32(old, crc32.Checksum(old, crc32.MakeTable(crc32.Castagnoli)))
	if err := os.WriteFile(name, old, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The first version of the files has all vectors as float32. They are taken as their datatype, where nothing is lost.
func TestFilesOfTheFirstVersionAreTaken(t *testing.T) {
	const size, count = 6, 400
	eachDatatype(t, []vec.Distance{vec.Cosine, vec.Euclid}, func(t *testing.T, datatype vec.Datatype, d vec.Distance) {
		c := typed{newCloud(5, size, 10), datatype, d}
		old := newIndex(t, dense.Options{Size: size, Distance: d, Config: graphConfig})
		o := dense.Options{Size: size, Distance: d, Datatype: datatype, Config: graphConfig}
		want, x := newIndex(t, o), newIndex(t, o)
		defer closeIndex(t, want)
		for l := range uint32(count) {
			v := c.draw()
			put(t, want, l, v...)
			if d == vec.Cosine && datatype == vec.ByteType {
				v = vec.Normalize(v)
			}
			put(t, old, l, v...)
		}
		old.Publish()
		want.Publish()
		settle(t, old)
		dir := t.TempDir()
		save(t, old, dir, 9)
		closeIndex(t, old)
		ofFirstVersion(t, dir)
		all := func(id point.ID, _ uint64) (uint32, bool) { return uint32(id.Number()), true }
		applied, err := x.Load(dir, all)
		if d == vec.Cosine && datatype == vec.ByteType { // bytes cannot be had back from what is of length 1
			if !fault.Is(err, fault.Corrupt) || x.Len() != 0 {
				t.Errorf("%d vectors, %v", x.Len(), err)
			}
			closeIndex(t, x)
			return
		}
		if err != nil || applied != 9 || x.Len() != count {
			t.Fatal(applied, x.Len(), err)
		}
		settle(t, x)
		if due := x.SaveDue(true); due != (datatype != vec.Float32) {
			t.Errorf("to be saved: %v", due)
		}
		save(t, x, dir, 10)
		again := newIndex(t, o)
		if applied, err := again.Load(dir, all); err != nil || applied != 10 {
			t.Fatal(applied, err)
		}
		for range 20 {
			q := c.draw()
			for _, got := range []*dense.Index{x, again} {
				agreeing(t, want, got, q, func(l uint32) (float32, float64) { s := scoreIn(t, want, q, l); return s, float64(s) })
			}
		}
		closeIndex(t, x)
		closeIndex(t, again)
	})
}

func scoreIn(t *testing.T, x *dense.Index, q []float32, label uint32) float32 {
	t.Helper()
	hits, err := now(x, q, 1, func(l uint32) (bool, error) { return l == label, nil })
	if err != nil || len(hits) != 1 {
		t.Fatal(hits, err)
	}
	return hits[0].Score
}
