package command

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/client"
)

// progressing is what watch shows of one moment.
type progressing struct {
	situation
	at         time.Time
	operations []client.Operation // that run
	ended      map[uint64]client.Operation
	tasks      []task
	partial    int // copies that are being brought up to date
	shown      int // those among them that are tasks
}

// task is something that goes on: an operation, a move of slots, or a copy that is being made or brought up to date.
type task struct {
	key         string // names it from look to look
	what        string
	done, total uint64
	unit        string // "B", "points", "entries", or "" if the numbers say little to people
	note        string // what it does, or what it waits for
	pace        float64
	// Of whom it is, at most one of the three: a copy that is brought up to date from the log is none.
	operation *client.Operation
	move      *client.SlotMove
	transfer  *client.Transfer
	// Of a move and of a transfer.
	collection string
	shard      uint32
	to         client.PeerID
}

// look asks for what goes on, and works out the pace of each.
func (a *asking) look(paces paces) (progressing, error) {
	s, err := readSituation(a.ctx, a.c)
	if err != nil {
		return progressing{}, err
	}
	all, err := a.c.Operations(a.ctx, "", false)
	if err != nil {
		return progressing{}, err
	}
	now := s.progressing(all, a.w.Now())
	paces.take(now)
	return now, nil
}

// progressing finds what goes on.
func (s situation) progressing(all []client.Operation, at time.Time) progressing {
	now := progressing{situation: s, at: at, ended: map[uint64]client.Operation{}}
	for _, o := range all {
		if o.State == client.OperationRunning {
			now.operations = append(now.operations, o)
			now.tasks = append(now.tasks, now.operationTask(o))
		} else {
			now.ended[o.ID] = o
		}
	}
	var logs []task
	for _, c := range s.collections {
		for _, m := range c.Moves {
			now.tasks = append(now.tasks, moveTask(c.Collection, m))
		}
		for _, shard := range c.Shards {
			for _, r := range shard.Replicas {
				if r.State == client.ReplicaPartial {
					now.partial++
				}
				switch {
				case r.Transfer != nil:
					now.shown++
					now.tasks = append(now.tasks, now.transferTask(c.Collection, shard.ID, r))
				case r.State == client.ReplicaPartial && r.Alive:
					logs = append(logs, now.logTask(c.Collection, shard, r))
				}
			}
		}
	}
	if len(logs) <= watchedLines { // else they are counted: after a restart there may be hundreds, for a moment each
		now.shown += len(logs)
		now.tasks = append(now.tasks, logs...)
	}
	return now
}

func (p progressing) operationTask(o client.Operation) task {
	t := task{
		key: fmt.Sprint("operation ", o.ID), what: fmt.Sprintf("%d %s %s", o.ID, o.Kind, p.subject(o)), done: o.Done, total: o.Total,
		note: doing(o), operation: &o,
	}
	if o.Kind == "reshard" {
		t.done += p.underWay(o)
		if p.moveTells(o) {
			o.Problem = ""
		}
		t.note = doing(o)
	}
	return t
}

// moveTells reports whether what keeps a reshard from its end is the problem of a move, which tells it itself.
func (p progressing) moveTells(o client.Operation) bool {
	for _, c := range p.collections {
		for _, m := range c.Moves {
			if c.Collection == o.Collection && m.Problem != "" && strings.Contains(o.Problem, m.Problem) {
				return true
			}
		}
	}
	return false
}

// underWay is how many slots of a reshard are there in part, in whole ones: its slots count only once they have changed their owner.
func (p progressing) underWay(o client.Operation) uint64 {
	slots := uint64(0)
	for _, c := range p.collections {
		if c.Collection != o.Collection {
			continue
		}
		for _, m := range c.Moves {
			if !m.Fill && m.TotalPoints > 0 && (o.ShardKey == nil || keyOf(c, m.Target) == *o.ShardKey) {
				slots += uint64(m.Slots) * min(m.Points, m.TotalPoints) / m.TotalPoints
			}
		}
	}
	return slots
}

func keyOf(c client.CollectionPlacement, shard uint32) client.ShardKey {
	for _, s := range c.Shards {
		if s.ID == shard && s.Key != nil {
			return *s.Key
		}
	}
	return client.ShardKey{}
}

func moveTask(collection string, m client.SlotMove) task {
	t := task{
		key: fmt.Sprintf("move %s %d", collection, m.ID), what: fmt.Sprintf("%s: %s from shard %d to %d", collection, countOf(int(m.Slots), "slot", "slots"), m.Source, m.Target),
		done: m.Points, total: m.TotalPoints, unit: "points", note: m.Phase, move: &m, collection: collection, shard: m.Target,
	}
	if m.Fill {
		t.what = fmt.Sprintf("%s: points copied from shard %d to %d", collection, m.Source, m.Target)
	}
	if m.Phase == "moved" || m.Phase == "withdrawn" {
		t.note += ", being cleaned up"
	}
	return t
}

func (p progressing) transferTask(collection string, shard uint32, r client.ReplicaPlacement) task {
	t := task{
		key: fmt.Sprintf("copy %s/%d %d %d", collection, shard, r.Peer, r.Generation), what: fmt.Sprintf("%s/%d to %s", collection, shard, p.peerName(r.Peer)),
		done: r.Transfer.Bytes, total: r.Transfer.TotalBytes, unit: "B", transfer: r.Transfer, collection: collection, shard: shard, to: r.Peer,
	}
	switch {
	case r.Transfer.From != 0:
		t.what += " from " + p.peerName(r.Transfer.From)
	case r.Transfer.Problem != "":
		t.note = "waits: " + r.Transfer.Problem
	default:
		t.note = "waits for its turn"
	}
	return t
}

// logTask is a copy that receives what it lacks from its primary's log.
func (p progressing) logTask(collection string, shard client.ShardPlacement, r client.ReplicaPlacement) task {
	t := task{
		key:  fmt.Sprintf("log %s/%d %d %d", collection, shard.ID, r.Peer, r.Generation),
		what: fmt.Sprintf("%s/%d to %s", collection, shard.ID, p.peerName(r.Peer)), note: "from the log", unit: "entries", done: r.LastIndex,
	}
	for _, primary := range shard.Replicas {
		if primary.Peer == shard.Primary {
			t.total, t.done = primary.LastIndex, min(r.LastIndex, primary.LastIndex)
		}
	}
	return t
}

// left is how long the task takes at its pace; 0: not known.
func (t task) left() time.Duration {
	if t.pace <= 0 || t.done >= t.total {
		return 0
	}
	seconds := math.Ceil(float64(t.total-t.done) / t.pace)
	if seconds > 1e8 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// paces is how fast tasks go, by key.
type paces map[string]*pace

type pace struct {
	at        time.Time
	done      uint64
	perSecond float64
}

// smoothing is the part that the last look has in a pace.
const smoothing = 0.3

// take measures all tasks, and forgets those that are over. A copy that was under way before the first look has a pace from its start.
func (p paces) take(now progressing) {
	seen := map[string]bool{}
	for i := range now.tasks {
		t := &now.tasks[i]
		seen[t.key] = true
		was, known := p[t.key]
		if !known || t.done < was.done { // begun anew
			was = &pace{at: now.at, done: t.done}
			if began := t.began(); !began.IsZero() && now.at.Sub(began) >= time.Second {
				was.perSecond = float64(t.done) / now.at.Sub(began).Seconds()
			}
			p[t.key] = was
		}
		moved := t.done > was.done
		if passed := now.at.Sub(was.at).Seconds(); passed > 0 {
			moment := float64(t.done-was.done) / passed
			if was.perSecond == 0 {
				was.perSecond = moment
			} else {
				was.perSecond += smoothing * (moment - was.perSecond)
			}
			was.at, was.done = now.at, t.done
		}
		t.pace = was.perSecond
		if t.move != nil && t.move.Problem != "" && !moved {
			t.note += ", tried again: " + t.move.Problem // what went wrong before it moved on is of no interest
		}
	}
	for key := range p {
		if !seen[key] {
			delete(p, key)
		}
	}
}

func (t task) began() time.Time {
	if t.transfer != nil {
		return t.transfer.Started
	}
	return time.Time{}
}
