package strictmode

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Options say what a Keeper stands on. Both are needed.
type Options struct {
	// Measure tells what a collection holds at this moment.
	Measure func(ctx context.Context, collection string) (Held, error)
	Now     func() time.Time
}

// Held is how much there is of something: in one copy of the collection, or in a request.
type Held struct {
	Points, VectorBytes, PayloadBytes uint64
	// Partial says that some shards did not tell: there is more.
	Partial bool
}

// Keeper holds requests to the limits of their collections. Its methods are safe for concurrent use.
type Keeper struct {
	opts Options
	mu   struct {
		sync.Mutex
		accounts map[catalog.CollectionID]*account
	}
}

// New returns a Keeper that has seen nothing yet.
func New(o Options) *Keeper {
	k := &Keeper{opts: o}
	k.mu.accounts = map[catalog.CollectionID]*account{}
	return k
}

// account is what is kept of one collection, guarded by Keeper.mu but for the gate.
type account struct {
	read, write *rate.Limiter
	used        time.Time

	held     Held // as measured last
	measured uint64
	at       time.Time
	admitted Held          // let pass since that measurement began
	gate     chan struct{} // taken by who measures
}

// idle is after how long an account that nobody used says no more than a new one: its rates are whole again.
const idle = time.Minute

func (k *Keeper) accountLocked(id catalog.CollectionID, now time.Time) *account {
	a := k.mu.accounts[id]
	if a == nil {
		for other, b := range k.mu.accounts {
			if now.Sub(b.used) > idle {
				delete(k.mu.accounts, other)
			}
		}
		a = &account{gate: make(chan struct{}, 1)}
		k.mu.accounts[id] = a
	}
	a.used = now
	return a
}

// spend takes the cost of a request from what the rate leaves.
func (k *Keeper) spend(c *catalog.Collection, field string, perMinute *uint32, cost uint64, of func(*account) **rate.Limiter) error {
	if perMinute == nil {
		return nil
	}
	if cost > uint64(*perMinute) {
		return exceeds(c, field, cost, *perMinute, "ask in smaller pieces")
	}
	now := k.opts.Now()
	each, burst := rate.Limit(float64(*perMinute)/time.Minute.Seconds()), int(*perMinute)
	k.mu.Lock()
	defer k.mu.Unlock()
	limiter := of(k.accountLocked(c.ID, now))
	if *limiter == nil || (*limiter).Burst() != burst { // another rate begins anew, so that raising it helps at once
		*limiter = rate.NewLimiter(each, burst)
	}
	r := (*limiter).ReserveN(now, int(cost))
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	return fault.New(fault.Exhausted, "strict mode of collection `%s`: %s allows %d in a minute on each node, and they are used up: come again in %s, or raise the limit",
		c.Name, field, *perMinute, wait.Round(time.Millisecond)).After(wait)
}

// exceeds words a refusal.
func exceeds(c *catalog.Collection, field string, asked, allowed any, advice string) *fault.Error {
	return fault.New(fault.Invalid, "strict mode of collection `%s`: the request asks for %v, %s allows %v: %s", c.Name, asked, field, allowed, advice)
}

// refused words a refusal of what is not allowed at all.
func refused(c *catalog.Collection, field, what, advice string) *fault.Error {
	return fault.New(fault.Invalid, "strict mode of collection `%s`: %s, which %s does not allow: %s", c.Name, what, field, advice)
}

// over compares a number that is asked for with its limit, if there is one.
func over[A uint64 | float64, L uint32 | uint64 | float32](c *catalog.Collection, field string, asked A, allowed *L, advice string) error {
	if allowed == nil || float64(asked) <= float64(*allowed) {
		return nil
	}
	return exceeds(c, field, asked, *allowed, advice)
}

// Timeout returns how long a request may take: as long as it asks for, or else no longer than is allowed.
func Timeout(c *catalog.Collection, asked *uint64, otherwise time.Duration) time.Duration {
	const longest = 24 * time.Hour // what a deadline can hold
	if asked != nil {
		return time.Duration(min(*asked, uint64(longest/time.Second))) * time.Second
	}
	if limits := c.Config.Limits(); limits != nil && limits.MaxTimeout != nil {
		return min(otherwise, time.Duration(*limits.MaxTimeout)*time.Second)
	}
	return otherwise
}

func checkTimeout(c *catalog.Collection, limits *catalog.StrictMode, asked *uint64) error {
	if asked == nil {
		return nil
	}
	return over(c, "max_timeout", *asked, limits.MaxTimeout, "give a shorter timeout, in seconds")
}
