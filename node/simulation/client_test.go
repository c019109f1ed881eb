package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	requestTimeout = 3 * time.Second
	longestPause   = 60 * time.Millisecond // between a client's requests
	dimension      = 4
	groupSize      = 12 // points that share a value of "group"
	maxDDL         = 6  // collections that are made and deleted while the cluster suffers
)

// target is a collection that clients write to, and what they know of its points.
type target struct {
	name           string
	factor, quorum uint32
	key            *shardKey // nil: all of the collection
	points         histories[uint64]
}

// lossy: what only one replica acknowledged may go with it.
func (g *target) lossy() bool { return g.quorum == 1 && g.factor > 1 }

// workload is the clients and what they know.
type workload struct {
	c       *cluster
	targets []*target
	ddl     histories[string]
	wg      sync.WaitGroup
	cancel  context.CancelFunc
	clients []*client
}

// client asks one thing after the other, through any node.
type client struct {
	w      *workload
	name   string
	number uint64
	random *rand.Rand
	conns  []*grpc.ClientConn
	next   uint64
	group  map[*target]*group
	done   [2]int // requests: answered well, failed
}

// group is the points that a client writes at the moment, and those of before.
type group struct {
	number int64
	left   int
	own    []uint64 // points that are surely there, of groups that are not deleted
	of     map[uint64]int64
}

func newWorkload(c *cluster, random *rand.Rand, clients int, targets []*target) *workload {
	w := &workload{c: c, targets: targets}
	for i := range clients {
		k := &client{
			w: w, name: "c" + strconv.Itoa(i+1), number: uint64(i + 1),
			random: rand.New(rand.NewPCG(random.Uint64(), 0)), group: map[*target]*group{},
		}
		for _, m := range c.machines {
			k.conns = append(k.conns, c.dial(k.name, m))
		}
		for _, g := range targets {
			k.group[g] = &group{left: groupSize, of: map[uint64]int64{}}
		}
		w.clients = append(w.clients, k)
	}
	return w
}

// start lets the clients work until stop. The last of them changes metadata.
func (w *workload) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	for i, k := range w.clients {
		act := k.step
		if i == len(w.clients)-1 {
			act = k.stepDDL
		}
		w.wg.Go(func() {
			for ctx.Err() == nil {
				act(ctx)
				_ = pass(ctx, time.Duration(k.random.Int64N(int64(longestPause))))
			}
		})
	}
}

// stop waits for the requests under way: each has an outcome, if only that it is not known.
func (w *workload) stop() {
	w.cancel()
	w.wg.Wait()
}

func (w *workload) close() {
	for _, k := range w.clients {
		for _, cc := range k.conns {
			_ = cc.Close()
		}
	}
}

// create makes a target.
func (w *workload) create(ctx context.Context, g *target) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if g.key != nil {
		return w.createKeyed(ctx, g)
	}
	shards := uint32(2)
	_, err := qdrant.NewCollectionsClient(w.clients[0].conns[0]).Create(ctx, &qdrant.CreateCollection{
		CollectionName: g.name, ShardNumber: &shards, ReplicationFactor: &g.factor, WriteConsistencyFactor: &g.quorum,
		VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dimension, Distance: qdrant.Distance_Dot}),
	})
	return err
}

// settled tells what a client knows after an answer. The request went on its way: only an error that says that
// nothing was done, does.
func settled(err error) outcome {
	switch status.Code(err) {
	case codes.OK:
		return acknowledged
	case codes.FailedPrecondition, codes.InvalidArgument:
		return refused
	default:
		return unknown
	}
}

// step makes one request about points.
func (k *client) step(parent context.Context) {
	g := k.w.targets[k.random.IntN(len(k.w.targets))]
	for !g.usable() {
		g = k.w.targets[k.random.IntN(len(k.w.targets))]
	}
	i := k.random.IntN(len(k.conns))
	if k.w.c.machines[i].removed.Load() {
		return
	}
	points := qdrant.NewPointsClient(k.conns[i])
	// Not parent: a request that began is waited for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), requestTimeout)
	defer cancel()
	var err error
	switch n := k.random.IntN(100); {
	case n < 70:
		err = k.upsert(ctx, points, g, k.w.c.machines[i])
	case n < 85:
		err = k.setPayload(ctx, points, g, k.w.c.machines[i])
	case n < 90:
		err = k.deleteGroup(ctx, points, g)
	case n < 95:
		err = k.countOwn(ctx, points, g, k.w.c.machines[i])
	default:
		err = k.scroll(ctx, points, g, k.w.c.machines[i])
	}
	k.w.told(g, err)
	k.count(err)
}

func (k *client) count(err error) {
	if err != nil {
		k.done[1]++
		return
	}
	k.done[0]++
}

// upsert writes one to three new points.
func (k *client) upsert(ctx context.Context, points qdrant.PointsClient, g *target, m *machine) error {
	mine := k.group[g]
	req := &qdrant.UpsertPoints{CollectionName: g.name, ShardKeySelector: g.selector(), Wait: qdrant.PtrOf(k.random.IntN(2) == 0)}
	count := 1
	if k.random.IntN(5) == 0 {
		count = 3
	}
	for range count {
		k.next++
		id := k.number<<32 | k.next
		req.Points = append(req.Points, &qdrant.PointStruct{
			Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectors(1, float32(k.next%7), 3, float32(k.number)),
			Payload: qdrant.NewValueMap(map[string]any{"v": int64(id), "client": int64(k.number), "group": mine.number, "odd": id%2 == 1}),
		})
	}
	life := m.life.Load()
	_, err := points.Upsert(ctx, req)
	o := settled(err)
	if count > 1 && o == refused {
		o = unknown // of its parts for several shards, others may have been taken
	}
	for _, p := range req.GetPoints() {
		id := p.GetId().GetNum()
		g.points.note(id, int64(id), o)
		mine.of[id] = mine.number
		if o == acknowledged {
			mine.own = append(mine.own, id)
		}
	}
	if mine.left -= count; mine.left <= 0 {
		mine.number++
		mine.left = groupSize
	}
	if err == nil && k.random.IntN(4) == 0 {
		id := req.GetPoints()[0].GetId().GetNum()
		k.readBack(ctx, points, g, id, int64(id), m, life)
	}
	return err
}

// readBack asks the node that acknowledged a write: it must show it, or say that it cannot.
func (k *client) readBack(ctx context.Context, points qdrant.PointsClient, g *target, id uint64, want int64, m *machine, life int64) {
	if g.lossy() {
		return
	}
	resp, err := points.Get(ctx, &qdrant.GetPoints{
		CollectionName: g.name, Ids: []*qdrant.PointId{qdrant.NewIDNum(id)}, WithPayload: qdrant.NewWithPayload(true),
		ShardKeySelector: g.selector(),
	})
	if err != nil || m.life.Load() != life || !g.stays() {
		return
	}
	got := absent
	if len(resp.GetResult()) == 1 {
		got = resp.GetResult()[0].GetPayload()["v"].GetIntegerValue()
	}
	if got == want {
		return
	}
	if h := g.points.get(id); !h.allows(got) {
		k.w.c.violate("%s acknowledged that point %d of %s is %d, and shows %d then", m.name, id, g, want, got)
	}
}

// scroll reads a page: whatever happens, no point is shown twice, and none out of order.
func (k *client) scroll(ctx context.Context, points qdrant.PointsClient, g *target, m *machine) error {
	resp, err := points.Scroll(ctx, &qdrant.ScrollPoints{CollectionName: g.name, Limit: qdrant.PtrOf(uint32(200)), ShardKeySelector: g.selector()})
	last := uint64(0)
	for _, p := range resp.GetResult() {
		if id := p.GetId().GetNum(); id <= last {
			k.w.c.violate("%s shows point %d of %s behind point %d", m.name, id, g, last)
		} else {
			last = id
		}
	}
	return err
}

// countOwn counts the client's points linearizably: those that are surely there, at least, and none that never were.
func (k *client) countOwn(ctx context.Context, points qdrant.PointsClient, g *target, m *machine) error {
	if g.lossy() {
		return nil
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "x-ostraka-consistency", "strong")
	resp, err := points.Count(ctx, &qdrant.CountPoints{
		CollectionName: g.name, Exact: qdrant.PtrOf(true), ShardKeySelector: g.selector(),
		Filter: &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchInt("client", int64(k.number))}},
	})
	if err != nil || !g.stays() {
		return err
	}
	mine := k.group[g]
	if n := resp.GetResult().GetCount(); n < uint64(len(mine.own)) || n > uint64(len(mine.of)) {
		k.w.c.violate("%s counts %d points of client %d in %s, and there are %d to %d", m.name, n, k.number, g, len(mine.own), len(mine.of))
	}
	return nil
}

// setPayload changes a point that is surely there.
func (k *client) setPayload(ctx context.Context, points qdrant.PointsClient, g *target, m *machine) error {
	mine := k.group[g]
	if len(mine.own) == 0 || g.lossy() {
		return nil
	}
	id := mine.own[k.random.IntN(len(mine.own))]
	k.next++
	value := int64(k.number<<48 | k.next)
	life := m.life.Load()
	_, err := points.SetPayload(ctx, &qdrant.SetPayloadPoints{
		CollectionName: g.name, Wait: qdrant.PtrOf(k.random.IntN(2) == 0), ShardKeySelector: g.selector(),
		Payload:        qdrant.NewValueMap(map[string]any{"v": value}),
		PointsSelector: qdrant.NewPointsSelector(qdrant.NewIDNum(id)),
	})
	g.points.note(id, value, settled(err))
	if status.Code(err) == codes.NotFound && g.stays() {
		k.w.c.violate("point %d of %s was acknowledged, and is not found by a later change: %v", id, g, err)
	}
	if err == nil {
		k.readBack(ctx, points, g, id, value, m, life)
	}
	return err
}

// deleteGroup deletes the odd points of an old group by a filter.
func (k *client) deleteGroup(ctx context.Context, points qdrant.PointsClient, g *target) error {
	mine := k.group[g]
	if mine.number == 0 {
		return nil
	}
	old := k.random.Int64N(mine.number)
	_, err := points.Delete(ctx, &qdrant.DeletePoints{
		CollectionName: g.name, Wait: qdrant.PtrOf(k.random.IntN(2) == 0), ShardKeySelector: g.selector(),
		Points: qdrant.NewPointsSelectorFilter(&qdrant.Filter{Must: []*qdrant.Condition{
			qdrant.NewMatchInt("client", int64(k.number)), qdrant.NewMatchInt("group", old), qdrant.NewMatchBool("odd", true),
		}}),
	})
	o := settled(err)
	if o == refused {
		o = unknown // by one of its shards; others may have done it
	}
	for id, of := range mine.of {
		if of == old && id%2 == 1 {
			g.points.note(id, absent, o)
			mine.own = slices.DeleteFunc(mine.own, func(own uint64) bool { return own == id })
		}
	}
	return err
}

// stepDDL makes one change of the metadata: it makes collections, and deletes some of them again.
func (k *client) stepDDL(parent context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), requestTimeout)
	defer cancel()
	collections := qdrant.NewCollectionsClient(k.conns[k.random.IntN(len(k.conns))])
	name := "ddl-" + strconv.Itoa(k.random.IntN(maxDDL))
	known := k.w.ddl.get(name)
	switch {
	case known == nil:
		factor := uint32(1 + k.random.IntN(min(3, len(k.conns))))
		quorum := 1 + uint32(k.random.IntN(int(factor)))
		_, err := collections.Create(ctx, &qdrant.CreateCollection{
			CollectionName: name, ShardNumber: qdrant.PtrOf(uint32(1)), ReplicationFactor: &factor, WriteConsistencyFactor: &quorum,
			VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dimension, Distance: qdrant.Distance_Dot}),
		})
		k.w.ddl.note(name, 1, settled(err))
		k.w.c.timeline.note("%s create %s: %s", k.name, name, worded(err))
		k.count(err)
	case known.certain() && k.random.IntN(3) == 0:
		_, err := collections.Delete(ctx, &qdrant.DeleteCollection{CollectionName: name})
		k.w.ddl.note(name, absent, settled(err))
		k.w.c.timeline.note("%s delete %s: %s", k.name, name, worded(err))
		k.count(err)
	}
	_ = pass(parent, time.Second)
}

func worded(err error) string {
	if err == nil {
		return "done"
	}
	return fmt.Sprintf("%s: %s", status.Code(err), status.Convert(err).Message())
}
