//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// patience bounds one operation of a client.
const patience = 4 * time.Second

// load is what all clients share.
type load struct {
	c      *cluster
	fig    *figures
	began  time.Time
	strong bool // the nodes serve linearizable reads
}

// now is the time of a history: nanoseconds since the load began, on the monotonic clock.
func (l *load) now() int64 { return time.Since(l.began).Nanoseconds() }

// pick returns a random node that can be reached, or nil.
func (l *load) pick(op string) *node {
	nodes := l.c.nodes
	at := rand.IntN(len(nodes))
	for i := range nodes {
		if n := nodes[(at+i)%len(nodes)]; n.reachable() {
			return n
		}
		if i == 0 {
			l.fig.addUnsent(op)
		}
	}
	return nil
}

// call makes one call through n and notes its outcome.
func (l *load) call(ctx context.Context, op string, f func(context.Context) error) (outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	began := time.Now()
	err := f(ctx)
	o := outcomeOf(err)
	l.fig.add(op, began, o, err)
	return o, err
}

// every calls f each d until ctx ends. What takes longer than d delays what comes after it.
func every(ctx context.Context, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// create declares a collection with a replica on every node.
func create(ctx context.Context, n *node, name string, shards, replicas, quorum uint32) error {
	_, err := qdrant.NewCollectionsClient(n.dial()).Create(ctx, &qdrant.CreateCollection{
		CollectionName: name, ShardNumber: &shards, ReplicationFactor: &replicas, WriteConsistencyFactor: &quorum,
		VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: dimension, Distance: qdrant.Distance_Dot}),
	})
	return err
}

// vectorOf is what belongs to a point and the value in its payload, so that a mix-up of either shows.
func vectorOf(id uint64, value int64) []float32 {
	vector := make([]float32, dimension)
	for i := range vector {
		vector[i] = float32(id%1021) + float32(i)
	}
	vector[dimension-1] = float32(value % 4093)
	return vector
}

// upsert writes one point with a payload, in which v is its value.
func upsert(ctx context.Context, n *node, name string, id uint64, payload map[string]any) error {
	vector := vectorOf(id, payload["v"].(int64))
	wait := rand.IntN(4) > 0
	_, err := qdrant.NewPointsClient(n.dial()).Upsert(ctx, &qdrant.UpsertPoints{
		CollectionName: name, Wait: &wait,
		Points: []*qdrant.PointStruct{{Id: qdrant.NewIDNum(id), Vectors: qdrant.NewVectorsDense(vector), Payload: qdrant.NewValueMap(payload)}},
	})
	return err
}

// get reads the value of one point; 0 if there is none.
func get(ctx context.Context, n *node, name string, id uint64) (int64, error) {
	resp, err := qdrant.NewPointsClient(n.dial()).Get(ctx, &qdrant.GetPoints{
		CollectionName: name, Ids: []*qdrant.PointId{qdrant.NewIDNum(id)}, WithPayload: qdrant.NewWithPayload(true),
	})
	if err != nil || len(resp.GetResult()) == 0 {
		return 0, err
	}
	return resp.GetResult()[0].GetPayload()["v"].GetIntegerValue(), nil
}

// consistencyKey is the gRPC metadata that asks for a read's consistency.
const consistencyKey = "x-ostraka-consistency"

// linearizable makes the reads of ctx linearizable.
func linearizable(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, consistencyKey, "strong")
}

// supportsStrong finds out whether the nodes know linearizable reads: then a read with a consistency that does not
// exist is refused, and a strong one answered. A node that ignores the key answers both.
func supportsStrong(ctx context.Context, n *node, collection string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := get(metadata.AppendToOutgoingContext(ctx, consistencyKey, "no-such-consistency"), n, collection, 1)
	if err == nil {
		return false, nil
	}
	if !isCode(err, codes.InvalidArgument) {
		return false, err
	}
	_, err = get(linearizable(ctx), n, collection, 1)
	if isCode(err, codes.Unimplemented) || isCode(err, codes.InvalidArgument) {
		return false, nil
	}
	return err == nil, err
}

// contents is what one node shows of a collection, by id.
type contents map[uint64]shown

type shown struct {
	value int64
	tag   string
}

// scrollAll reads all of a collection through n.
func scrollAll(ctx context.Context, n *node, name string) (contents, error) {
	points := qdrant.NewPointsClient(n.dial())
	all, limit, offset := contents{}, uint32(1000), (*qdrant.PointId)(nil)
	for {
		page, err := points.Scroll(ctx, &qdrant.ScrollPoints{
			CollectionName: name, Limit: &limit, Offset: offset,
			WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true),
		})
		if err != nil {
			return nil, err
		}
		for _, p := range page.GetResult() {
			s := shown{value: p.GetPayload()["v"].GetIntegerValue(), tag: p.GetPayload()["tag"].GetStringValue()}
			vector := p.GetVectors().GetVector().GetDense().GetData()
			if len(vector) == 0 {
				vector = p.GetVectors().GetVector().GetData()
			}
			if id := p.GetId().GetNum(); !slices.Equal(vector, vectorOf(id, s.value)) {
				return nil, fmt.Errorf("%w: point %d of %s has the value %d and the vector %v", errDamaged, id, name, s.value, vector)
			}
			all[p.GetId().GetNum()] = s
		}
		if offset = page.GetNextPageOffset(); offset == nil {
			return all, nil
		}
	}
}

var errDamaged = errors.New("damaged")

// countAll counts a collection exactly through n.
func countAll(ctx context.Context, n *node, name string) (int, error) {
	exact := true
	resp, err := qdrant.NewPointsClient(n.dial()).Count(ctx, &qdrant.CountPoints{CollectionName: name, Exact: &exact})
	return int(resp.GetResult().GetCount()), err
}
