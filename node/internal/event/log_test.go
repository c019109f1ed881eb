package event_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
)

func say(n int) event.Event {
	return event.Event{Kind: event.Election, Severity: event.Info, Text: fmt.Sprint(n)}
}

func texts(p event.Page) (all string) {
	for _, e := range p.Events {
		all += e.Text + " "
	}
	return all
}

func TestAReaderGoesOnWhereItStopped(t *testing.T) {
	l := event.New(8)
	if p := l.Read(0, 10); len(p.Events) != 0 || p.Missed != 0 || p.Restarted {
		t.Fatalf("an empty log gave %+v", p)
	}
	for i := range 5 {
		l.Append(say(i))
	}
	p := l.Read(0, 3)
	if texts(p) != "0 1 2 " {
		t.Errorf("first %q", texts(p))
	}
	select {
	case <-p.More:
	default:
		t.Error("there is more, and More is open")
	}
	p = l.Read(p.After, 10)
	if texts(p) != "3 4 " || p.Missed != 0 {
		t.Errorf("then %q, missed %d", texts(p), p.Missed)
	}
	select {
	case <-p.More:
		t.Error("there is no more, and More is closed")
	default:
	}
	l.Append(say(5))
	<-p.More
	if p = l.Read(p.After, 10); texts(p) != "5 " {
		t.Errorf("at last %q", texts(p))
	}
}

func TestASlowReaderIsToldHowMuchItMissed(t *testing.T) {
	l := event.New(4)
	l.Append(say(0))
	p := l.Read(0, 1)
	for i := 1; i < 10; i++ {
		l.Append(say(i))
	}
	if p = l.Read(p.After, 100); texts(p) != "6 7 8 9 " || p.Missed != 5 || p.Restarted {
		t.Errorf("%q, missed %d", texts(p), p.Missed)
	}
	if p = l.Read(l.Last(2), 100); texts(p) != "8 9 " || p.Missed != 0 {
		t.Errorf("the last two: %q, missed %d", texts(p), p.Missed)
	}
	if p = l.Read(l.Last(100), 100); texts(p) != "6 7 8 9 " || p.Missed != 0 {
		t.Errorf("all: %q, missed %d", texts(p), p.Missed)
	}
}

func TestACursorOfAnEarlierLifeLeadsToAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := event.New(4)
		old.Append(say(0))
		cursor := old.Read(0, 1).After
		<-time.After(time.Second) // the restart
		l := event.New(4)
		l.Append(say(1))
		for _, after := range []uint64{cursor, cursor + 1<<40} {
			if p := l.Read(after, 10); !p.Restarted || texts(p) != "1 " {
				t.Errorf("after %d: %+v", after, p)
			}
		}
	})
}

func TestWhatHappensWithEveryRequestIsToldSometimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := event.New(100)
		e := event.Event{Kind: event.WriteRefused, Collection: "c", HasShard: true, Text: "no"}
		for range 50 {
			l.AppendSometimes(e)
		}
		other := e
		other.Shard = 1
		l.AppendSometimes(other)
		if p := l.Read(0, 100); len(p.Events) != 2 {
			t.Fatalf("%q", texts(p))
		}
		<-time.After(11 * time.Second)
		l.AppendSometimes(e)
		if p := l.Read(0, 100); len(p.Events) != 3 || p.Events[2].Text != "no (and 49 times since 00:00:00)" {
			t.Errorf("%q", texts(p))
		}
	})
}

func TestTheMemoryOfOriginsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := event.New(1 << 15)
		for round := range 3 {
			for i := range uint32(3000) {
				l.AppendSometimes(event.Event{Kind: event.WriteRefused, Shard: i})
			}
			if p := l.Read(0, 1<<15); len(p.Events) != 1024*(round+1) {
				t.Errorf("round %d: %d events", round, len(p.Events))
			}
			<-time.After(time.Minute)
		}
	})
}

func TestManyWritersAndReaders(t *testing.T) {
	l := event.New(64)
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		writers.Go(func() {
			for i := range 500 {
				l.Append(say(i))
			}
		})
		readers.Go(func() {
			var seen, after uint64
			for {
				p := l.Read(after, 7)
				if after != 0 {
					seen += p.Missed
				}
				for _, e := range p.Events {
					if after != 0 && e.Cursor != after+1+p.Missed {
						t.Errorf("event %d after %d with %d missed", e.Cursor, after, p.Missed)
					}
					after, p.Missed = e.Cursor, 0
				}
				if len(p.Events) > 0 {
					continue
				}
				select {
				case <-p.More:
				case <-done:
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}
