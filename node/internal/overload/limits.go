package overload

import (
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Limits are what a Gate holds to. A zero field takes its default.
type Limits struct {
	Requests int           // worked on at once; 1024
	Waiting  int           // that wait for their turn beyond them; 4 times Requests
	Patience time.Duration // how long one waits for its turn; 10 s
	Body     int64         // bytes of the largest request there can be; 64 MiB
	Bodies   int64         // bytes of all requests that are being received or worked on; 1 GiB
	Arrival  time.Duration // in which a request's body has to arrive, once it may; 30 s
}

// minBodies is how many of the largest requests have to fit: one that arrives, and one that has.
const minBodies = 2

func (l Limits) withDefaults() (Limits, error) {
	orDefault(&l.Requests, 1024)
	orDefault(&l.Waiting, 4*l.Requests)
	orDefault(&l.Patience, 10*time.Second)
	orDefault(&l.Body, 64<<20)
	orDefault(&l.Bodies, 1<<30)
	orDefault(&l.Arrival, 30*time.Second)
	if l.Bodies < minBodies*l.Body {
		return l, fault.New(fault.Invalid, "requests may take %d bytes of memory: at least %d are needed, since one may have %d", l.Bodies, minBodies*l.Body, l.Body)
	}
	return l, nil
}

func orDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
