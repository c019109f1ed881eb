package hnsw_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
)

func save(t testing.TB, g *hnsw.Graph) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := g.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func load(t testing.TB, b []byte) *hnsw.Graph {
	t.Helper()
	return loadTo(t, b, "")
}

// loadTo keeps links in a file.
func loadTo(t testing.TB, b []byte, file string) *hnsw.Graph {
	t.Helper()
	g, err := hnsw.Load(bytes.NewReader(b), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func TestASavedGraphAnswersAsBefore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	p := newPoints(random(r, 2000, 8))
	g := newGraph(t, hnsw.Options{M: 5, EfConstruct: 40, Seed: 9})
	build(t, g, p, 0, 1900)
	b := save(t, g)
	again := load(t, b)
	if !bytes.Equal(save(t, again), b) {
		t.Error("saved twice, it is not the same")
	}
	if again.Len() != g.Len() || again.Options() != g.Options() {
		t.Errorf("%d and %d rows, %+v", again.Len(), g.Len(), again.Options())
	}
	for _, q := range random(r, 50, 8) {
		if a, b := search(t, again, p, q, 10, 50, nil), search(t, g, p, q, 10, 50, nil); !slices.Equal(a, b) {
			t.Fatalf("%v, before %v", a, b)
		}
	}
	build(t, again, p, 1900, 2000)
}

func TestAGraphInAFileIsTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	p, dir := newPoints(random(r, 1500, 8)), t.TempDir()
	g := newGraph(t, hnsw.Options{M: 5, EfConstruct: 40})
	inFile := newGraph(t, hnsw.Options{M: 5, EfConstruct: 40, File: filepath.Join(dir, "built")})
	for row := range 1000 { // one by one, so that both are the same
		build(t, g, p, row, row+1)
		build(t, inFile, p, row, row+1)
		if row%300 == 0 {
			inFile.Forget()
		}
	}
	b := save(t, g)
	if !bytes.Equal(save(t, inFile), b) {
		t.Error("the graphs differ")
	}
	again := loadTo(t, b, filepath.Join(dir, "loaded"))
	build(t, again, p, 1000, 1500)
	again.Forget()
	if again.Len() != 1500 {
		t.Error(again.Len())
	}
	for _, name := range []string{"built", "loaded"} { // 2m links of 4 bytes
		if raced {
			break // they are in memory
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 1000*2*5*4 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestAnEmptyGraphIsSaved(t *testing.T) {
	g := load(t, save(t, newGraph(t, hnsw.Options{M: 7})))
	if g.Len() != 0 || g.Options().M != 7 {
		t.Error(g.Len(), g.Options())
	}
	build(t, g, newPoints(random(rand.New(rand.NewPCG(1, 1)), 10, 3)), 0, 10)
}

func TestDamageIsNoticed(t *testing.T) {
	p := newPoints(random(rand.New(rand.NewPCG(2, 2)), 40, 4))
	g := newGraph(t, hnsw.Options{M: 4})
	build(t, g, p, 0, 40)
	b := save(t, g)
	for i := 0; i < len(b); i += 1 + i/64 {
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(b)
			bad[i] ^= bit
			if _, err := hnsw.Load(bytes.NewReader(bad), ""); !fault.Is(err, fault.Corrupt) && !fault.Is(err, fault.Unsupported) {
				t.Fatalf("byte %d changed: %v", i, err)
			}
		}
		if _, err := hnsw.Load(bytes.NewReader(b[:i]), ""); !fault.Is(err, fault.Corrupt) {
			t.Fatalf("cut after %d bytes: %v", i, err)
		}
	}
}
