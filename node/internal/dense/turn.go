package dense

import "os"

// turn lets what came over the network have its turn.
//
// The runtime looks for that when a processor has nothing else to run, and otherwise every 10 ms; a goroutine that yields runs on
// without. So as long as there is something to build on every processor, a search that takes a tenth of a millisecond waits for ten.
// Who waits for a pipe, though, is found by that very look: it finds whatever else has come as well, and comes at once if there
// is nothing.
type turn struct {
	in, out *os.File
	back    chan struct{}
}

// newTurn returns nil where it is not wanted, or where there is no pipe to be had: then nobody is given a turn.
func newTurn(wanted bool) *turn {
	if !wanted {
		return nil
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil
	}
	t := &turn{in: in, out: out, back: make(chan struct{})}
	go t.echo()
	return t
}

func (t *turn) echo() {
	defer close(t.back)
	var one [1]byte
	for {
		if n, err := t.out.Read(one[:]); n == 0 || err != nil {
			return
		}
		t.back <- struct{}{}
	}
}

// give gives others their turn.
func (t *turn) give() {
	if t == nil {
		return
	}
	if _, err := t.in.Write([]byte{0}); err == nil {
		<-t.back
	}
}

// close ends it.
func (t *turn) close() {
	if t == nil {
		return
	}
	_ = t.in.Close() // of a pipe, nothing is lost
	<-t.back
	_ = t.out.Close()
}
