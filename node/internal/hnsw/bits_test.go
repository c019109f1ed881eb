package hnsw_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
)

// A filter that tells its rows as bits finds what it finds when it is asked about each, and is not asked once it has told.
func TestAFilterMayTellItsRowsAsBits(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	n := few(4000)
	p := newPoints(random(r, n, 16))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, n)
	const modulus, ef = 32, 10 // few enough for the narrow way
	last := n / 4 / 64 * 64    // the rows of the last words are beyond the bits
	live := func(row uint32) bool { return row%modulus == 0 && int(row) < n-last }
	bits := make([]uint64, (n-last+63)/64)
	for row := range uint32(n - last) {
		if live(row) {
			bits[row/64] |= 1 << (row % 64)
		}
	}
	for i, q := range random(r, 50, 16) {
		asked := &hnsw.Filter{Accept: live, Count: n / modulus, Wanted: 10}
		want := search(t, g, p, q, 10, ef, asked)
		told := 0
		telling := &hnsw.Filter{Count: n / modulus, Wanted: 10, Kept: true,
			Accept: func(uint32) bool { t.Error("it was asked"); return false },
			Bits:   func() []uint64 { told++; return bits },
		}
		if got := search(t, g, p, q, 10, ef, telling); !slices.Equal(got, want) || told != 1 {
			t.Fatalf("query %d, told %d times: %v, want %v", i, told, got, want)
		}
		silent := &hnsw.Filter{Accept: live, Count: n / modulus, Wanted: 10, Bits: func() []uint64 { return nil }}
		if got := search(t, g, p, q, 10, ef, silent); !slices.Equal(got, want) {
			t.Fatalf("query %d, not told: %v, want %v", i, got, want)
		}
	}
}

// A wide walk that found enough is the end of it, however little is asked for.
func TestAWalkThatFoundEnoughIsNotFollowedByAnother(t *testing.T) {
	r := rand.New(rand.NewPCG(19, 20))
	n := few(4000)
	p := newPoints(random(r, n, 16))
	g := newGraph(t, hnsw.Options{})
	build(t, g, p, 0, n)
	again := 0
	f := &hnsw.Filter{Count: n / 2, Wanted: 10, Accept: func(row uint32) bool { return row%2 == 0 }, Bits: func() []uint64 { again++; return nil }}
	queries := random(r, 50, 16)
	for i, q := range queries {
		if got := search(t, g, p, q, 10, 10, f); len(got) != 10 {
			t.Fatalf("query %d: %v", i, got)
		}
	}
	if again > len(queries)/10 {
		t.Errorf("%d of %d walks were followed by another", again, len(queries))
	}
}
