package dense

import (
	"context"
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/hnsw"
)

// onALine scores rows by how far they are from the query on a line, and notes how often the reading turned back.
type onALine struct {
	query float32
	last  uint32
	turns int
}

func (l *onALine) Query(v []float32) { l.query = v[0] }

func (l *onALine) Score(rows []uint32, out []float32) {
	if rows[0] < l.last {
		l.turns++
	}
	l.last = rows[0]
	for i, r := range rows {
		out[i] = max(float32(r)-l.query, l.query-float32(r))
	}
}

func (*onALine) Between(uint32, []uint32, []float32) {}
func (*onALine) Hint([]uint32)                       {}

// Vectors that have no room in memory are read once, whatever the number of queries.
func TestJudgingReadsAllRowsOnce(t *testing.T) {
	rows := make([]uint32, 10_000)
	for i := range rows {
		rows[i] = uint32(i)
	}
	s := new(onALine)
	fetched := 0
	fetch := func(next []uint32) {
		if int(next[0]) != fetched || s.last >= next[0] && fetched > 0 {
			t.Errorf("rows from %d on are fetched after %d, when %d was read", next[0], fetched, s.last)
		}
		fetched += len(next)
	}
	got, err := nearestBy(context.Background(), s, fetch, [][]float32{{0}, {5000.25}, {9999}}, rows, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]hnsw.Hit{
		{{Row: 0}, {Row: 1, Score: 1}, {Row: 2, Score: 2}},
		{{Row: 5000, Score: 0.25}, {Row: 5001, Score: 0.75}, {Row: 4999, Score: 1.25}},
		{{Row: 9999}, {Row: 9998, Score: 1}, {Row: 9997, Score: 2}},
	} {
		if !slices.Equal(got[i], want) {
			t.Errorf("query %d: %v, want %v", i, got[i], want)
		}
	}
	if fetched != len(rows) {
		t.Errorf("%d rows were fetched", fetched)
	}
	if s.turns != 0 {
		t.Errorf("the reading turned back %d times", s.turns)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := nearestBy(ctx, s, unfetched, [][]float32{{0}}, rows, 3); err == nil {
		t.Error("it goes on although nobody waits")
	}
}
