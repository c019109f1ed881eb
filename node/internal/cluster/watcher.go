package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/consensus"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/event"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replica"
)

// lagTold is how long a replica must be behind before it is an event.
const lagTold = 10 * time.Second

// Elections tells who leads the metadata.
type Elections interface {
	// WatchLeader returns who leads and a channel that is closed when that changes.
	WatchLeader() (consensus.Leadership, <-chan struct{})
}

// Detector tells which peers answer.
type Detector interface {
	Alive(catalog.PeerID) bool
	Changed() <-chan struct{} // closed at the next change
}

// LocalStatuses asks the replicas on this node.
type LocalStatuses interface {
	Status(refs []catalog.ShardRef) []replica.Status
}

// WatcherOptions configures a Watcher. Self, Metadata, Elections, Detector, Replicas and Events are needed.
type WatcherOptions struct {
	Self       catalog.PeerID
	Metadata   Metadata
	Elections  Elections
	Detector   Detector
	Replicas   LocalStatuses
	Events     *event.Log
	Registerer prometheus.Registerer // nil: metrics are kept for nobody
	Every      time.Duration         // between two looks at the replicas here; 0 means 1 s
	// Begun tells whether this node has caught up with the metadata: what it catches up with happened before, and is no news.
	// Nil: it has.
	Begun func() bool
}

// Watcher turns what this node sees of the cluster into events and metrics. Its one goroutine ends with Close. It begins
// with what it finds: only what changes from then on is an event.
type Watcher struct {
	opts    WatcherOptions
	metrics *watchMetrics
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	// Owned by the goroutine.
	begun bool
	state *catalog.State
	lead  consensus.Leadership
	alive map[catalog.PeerID]bool
	short map[catalog.CollectionID][]catalog.ShardID
	lags  lags
}

// NewWatcher starts to watch.
func NewWatcher(opts WatcherOptions) (*Watcher, error) {
	if opts.Self == 0 || opts.Metadata == nil || opts.Elections == nil || opts.Detector == nil || opts.Replicas == nil || opts.Events == nil {
		return nil, fault.New(fault.Internal, "cluster watcher: an option is missing")
	}
	if opts.Every <= 0 {
		opts.Every = time.Second
	}
	if opts.Begun == nil {
		opts.Begun = func() bool { return true }
	}
	m, err := newWatchMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{opts: opts, metrics: m, cancel: cancel, alive: map[catalog.PeerID]bool{}, lags: lags{}}
	state, _ := opts.Metadata.Watch()
	lead, _ := opts.Elections.WatchLeader()
	w.begin(state, lead)
	w.wg.Go(func() { w.run(ctx) })
	return w, nil
}

// Close ends the goroutine and waits for it.
func (w *Watcher) Close() error {
	w.cancel()
	w.wg.Wait()
	return nil
}

func (w *Watcher) run(ctx context.Context) {
	ticker := time.NewTicker(w.opts.Every)
	defer ticker.Stop()
	w.sample(time.Now())
	for {
		begun := w.opts.Begun()
		// All channels before looking: what changes meanwhile is a reason to look again.
		detected := w.opts.Detector.Changed()
		lead, led := w.opts.Elections.WatchLeader()
		state, changed := w.opts.Metadata.Watch()
		if w.begun {
			w.look(state, lead)
		} else {
			w.begin(state, lead)
			w.begun = begun // the state was read after the answer
		}
	waiting:
		for {
			select {
			case <-ctx.Done():
				return
			case <-detected:
				break waiting
			case <-led:
				break waiting
			case <-changed:
				break waiting
			case now := <-ticker.C:
				w.sample(now)
				if !w.begun {
					break waiting // to ask again
				}
			}
		}
	}
}

// begin takes what is for what was.
func (w *Watcher) begin(state *catalog.State, lead consensus.Leadership) {
	w.state, w.lead = state, lead
	clear(w.alive)
	for id := range state.Peers {
		w.alive[id] = w.opts.Detector.Alive(id)
	}
	w.short = short(state, w.opts.Detector.Alive)
	w.metrics.standing(lead, w.short)
}

// look compares what is with what was.
func (w *Watcher) look(state *catalog.State, lead consensus.Leadership) {
	if lead != w.lead {
		w.election(state, lead)
	}
	if state != w.state {
		for _, e := range Changes(w.state, state) {
			w.metrics.count(e.Kind)
			w.opts.Events.Append(e)
		}
		w.state = state
	}
	w.liveness()
	now := short(state, w.opts.Detector.Alive)
	for _, e := range shortChanges(state, w.short, now) {
		w.metrics.count(e.Kind)
		w.opts.Events.Append(e)
	}
	w.short = now
	w.metrics.standing(lead, now)
}

func (w *Watcher) election(state *catalog.State, lead consensus.Leadership) {
	was := w.lead
	w.lead = lead
	if lead.Leader == was.Leader && (lead.Leader == 0 || lead.Term == was.Term) {
		return
	}
	e := event.Event{Kind: event.Election, Severity: event.Info, Peer: uint64(lead.Leader)}
	if lead.Leader == 0 {
		e.Severity, e.Text = event.Warn, fmt.Sprintf("the metadata has no leader (term %d): it cannot change", lead.Term)
	} else {
		e.Text = fmt.Sprintf("%s leads the metadata in term %d", name(state, lead.Leader), lead.Term)
	}
	w.metrics.elected(lead)
	w.metrics.count(e.Kind)
	w.opts.Events.Append(e)
}

func (w *Watcher) liveness() {
	for id := range w.state.Peers {
		alive := w.opts.Detector.Alive(id)
		if !w.turned(id, alive) {
			continue
		}
		e := event.Event{Kind: event.PeerAlive, Severity: event.Info, Peer: uint64(id), Text: name(w.state, id) + " answers again"}
		if !alive {
			e.Kind, e.Severity, e.Text = event.PeerDead, event.Warn, name(w.state, id)+" does not answer"
		}
		w.metrics.count(e.Kind)
		w.opts.Events.Append(e)
	}
	for id := range w.alive {
		if _, ok := w.state.Peers[id]; !ok {
			delete(w.alive, id)
		}
	}
}

// turned notes whether a peer is alive, and reports whether that is another thing than before.
func (w *Watcher) turned(id catalog.PeerID, alive bool) bool {
	was, known := w.alive[id]
	w.alive[id] = alive
	return known && was != alive
}

// sample measures how far behind the replicas are that are led from here.
func (w *Watcher) sample(now time.Time) {
	statuses := w.opts.Replicas.Status(nil)
	w.lags.sample(now, statuses)
	entries, behind := w.lags.worst()
	w.metrics.lagEntries.Set(float64(entries))
	w.metrics.lagSeconds.Set(behind.Seconds())
	differing := 0
	for _, st := range statuses {
		if st.Differs != "" {
			differing++
		}
	}
	w.metrics.differing.Set(float64(differing))
	for ref, l := range w.lags {
		if far := l.behind >= lagTold; far == l.told || !far && l.behind > 0 {
			continue
		}
		l.told = !l.told
		w.lagging(ref, l)
	}
}

func (w *Watcher) lagging(ref catalog.ShardRef, l *lag) {
	col, _, ok := w.state.Shard(ref)
	if !ok {
		return
	}
	e := event.Event{Kind: event.ReplicaLag, Severity: event.Warn, Collection: col.Name, Shard: uint32(ref.Shard), HasShard: true}
	if l.told {
		e.Text = fmt.Sprintf("shard %d of %s: a replica is %d entries and more than %s behind", ref.Shard, col.Name, l.entries, lagTold)
	} else {
		e.Severity, e.Text = event.Info, fmt.Sprintf("shard %d of %s: no replica is behind any more", ref.Shard, col.Name)
	}
	w.metrics.count(e.Kind)
	w.opts.Events.Append(e)
}
