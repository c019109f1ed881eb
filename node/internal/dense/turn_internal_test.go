package dense

import (
	"sync"
	"testing"
)

// Turns come back to who gives them, however many give theirs, and leave nothing behind.
func TestTurnsComeBack(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			own := newTurn(true)
			if own == nil {
				t.Error("there is no turn to give")
				return
			}
			for range 100 {
				own.give()
			}
			own.close()
			if _, open := <-own.back; open {
				t.Error("it is not over")
			}
		})
	}
	wg.Wait()
	var none *turn
	if none = newTurn(false); none != nil {
		t.Error("nobody wanted a turn")
	}
	none.give()
	none.close()
}

// While somebody searches, less may wait to be compared one by one.
func TestSearchesShortenTheTail(t *testing.T) {
	x := &Index{}
	for indexing, want := range map[int64]int64{0: minTail, 100 << 20: 125 << 20} {
		x.full.Store(&Config{IndexingBytes: indexing})
		if got := x.mostTail(); got != want {
			t.Errorf("threshold %d: %d bytes may wait, want %d", indexing, got, want)
		}
	}
	x.worker.searched.Store(true)
	if got := x.mostTail(); got != searchedTail {
		t.Errorf("%d bytes may wait while somebody searches, want %d", got, searchedTail)
	}
}
