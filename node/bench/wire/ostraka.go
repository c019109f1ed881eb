package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// collection is what the bench calls its collections.
const collection = "Bench"

type ostraka struct {
	*process
	shards int
	groups Groups
	conns  []*grpc.ClientConn
	ef     *qdrant.SearchParams

	program, at string
	args        []string
	clients     int
}

// StartOstraka starts a node, with so many connections for clients, whose collection has so many shards.
func StartOstraka(ctx context.Context, program string, shards, clients int) (Server, error) {
	dir, err := os.MkdirTemp("", "ostraka-bench-")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "start node")
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	at := func(i int) string { return "127.0.0.1:" + strconv.Itoa(ports[i]) }
	name := "ostraka"
	if shards > 1 {
		name = fmt.Sprintf("ostraka, %d shards", shards)
	}
	o := &ostraka{shards: shards, program: program, at: at(0), clients: clients, args: []string{
		"serve", "--bootstrap", "--data-dir", dir + "/data", "--name", "bench",
		"--grpc-addr", at(0), "--http-addr", at(1), "--peer-addr", at(2), "--log-level", "warn",
	}}
	return o, o.open(ctx, name, dir)
}

// open starts the process, and connects.
func (o *ostraka) open(ctx context.Context, name, dir string) (err error) {
	if o.process, err = start(name, dir, nil, o.program, o.args...); err != nil {
		return err
	}
	if o.conns, err = dial(o.at, o.clients); err == nil {
		err = o.until(ctx, "it serves", func(ctx context.Context) error {
			_, err := qdrant.NewCollectionsClient(o.conns[0]).List(ctx, &qdrant.ListCollectionsRequest{})
			return err
		})
	}
	if err != nil {
		return errors.Join(err, o.Close())
	}
	return nil
}

// Restart ends the node, and starts it on the same files.
func (o *ostraka) Restart(ctx context.Context, count int) (time.Duration, error) {
	if err := errors.Join(hangUp(o.conns), o.end()); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := o.open(ctx, o.name, o.dir); err != nil {
		return 0, err
	}
	err := o.Ready(ctx, count)
	return time.Since(begin), err
}

func dial(at string, n int) (conns []*grpc.ClientConn, err error) {
	for range max(n, 1) {
		c, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.MaxCallSendMsgSize(64<<20)))
		if err != nil {
			return conns, fault.Wrap(fault.Unavailable, err, "connect")
		}
		conns = append(conns, c)
	}
	return conns, nil
}

func hangUp(conns []*grpc.ClientConn) (err error) {
	for _, c := range conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

// Close ends the node.
func (o *ostraka) Close() error { return errors.Join(hangUp(o.conns), o.stop()) }

// Create declares the collection.
func (o *ostraka) Create(ctx context.Context, set *dataset.Set, p Params) error {
	o.groups = p.Groups
	c := qdrant.NewCollectionsClient(o.conns[0])
	if _, err := c.Delete(ctx, &qdrant.DeleteCollection{CollectionName: collection}); err != nil {
		return fault.Wrap(fault.Unavailable, err, "delete collection")
	}
	_, err := c.Create(ctx, &qdrant.CreateCollection{
		CollectionName: collection, ShardNumber: qdrant.PtrOf(uint32(o.shards)),
		VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{
			Size: uint64(set.Size), Distance: qdrant.Distance(set.Distance), OnDisk: qdrant.PtrOf(p.OnDisk),
		}),
		HnswConfig: &qdrant.HnswConfigDiff{
			M: qdrant.PtrOf(uint64(p.M)), EfConstruct: qdrant.PtrOf(uint64(p.EfConstruct)), OnDisk: qdrant.PtrOf(p.AllOnDisk),
		},
		QuantizationConfig: quantizationOf(p),
	})
	for _, field := range []string{Random, Correlated} {
		if err == nil && p.Groups != nil {
			_, err = qdrant.NewPointsClient(o.conns[0]).CreateFieldIndex(ctx, &qdrant.CreateFieldIndexCollection{
				CollectionName: collection, FieldName: field, FieldType: qdrant.PtrOf(qdrant.FieldType_FieldTypeInteger), Wait: qdrant.PtrOf(true),
			})
		}
	}
	return fault.Wrap(fault.Unavailable, err, "create collection")
}

// quantizationOf declares codes that are on the disk, if all is to be there.
func quantizationOf(p Params) *qdrant.QuantizationConfig {
	if !p.AllOnDisk || p.CodesInMemory {
		return nil
	}
	return qdrant.NewQuantizationScalar(&qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8, AlwaysRam: qdrant.PtrOf(false)})
}

// Store upserts, and waits.
func (o *ostraka) Store(ctx context.Context, set *dataset.Set, from, to int) error {
	points := make([]*qdrant.PointStruct, 0, to-from)
	for i := from; i < to; i++ {
		point := &qdrant.PointStruct{Id: qdrant.NewIDNum(uint64(i)), Vectors: qdrant.NewVectorsDense(set.Vector(i))}
		if o.groups != nil {
			point.Payload = map[string]*qdrant.Value{
				Random: qdrant.NewValueInt(int64(o.groups[Random][i])), Correlated: qdrant.NewValueInt(int64(o.groups[Correlated][i])),
			}
		}
		points = append(points, point)
	}
	_, err := qdrant.NewPointsClient(o.conns[from/(to-from)%len(o.conns)]).Upsert(ctx, &qdrant.UpsertPoints{
		CollectionName: collection, Points: points, Wait: qdrant.PtrOf(true),
	})
	return fault.Wrap(fault.Unavailable, err, "upsert")
}

// Ready asks until all vectors are indexed and the collection is green.
func (o *ostraka) Ready(ctx context.Context, count int) error {
	return o.until(ctx, "the collection is green", func(ctx context.Context) error {
		r, err := qdrant.NewCollectionsClient(o.conns[0]).Get(ctx, &qdrant.GetCollectionInfoRequest{CollectionName: collection})
		if err != nil {
			return err
		}
		if info := r.GetResult(); info.GetStatus() != qdrant.CollectionStatus_Green || info.GetIndexedVectorsCount() != uint64(count) {
			return fmt.Errorf("%v, %d of %d vectors are indexed", info.GetStatus(), info.GetIndexedVectorsCount(), count)
		}
		return nil
	})
}

// SetEf notes ef for later searches.
func (o *ostraka) SetEf(_ context.Context, ef int) error {
	if ef == 0 {
		o.ef = &qdrant.SearchParams{Exact: qdrant.PtrOf(true)}
		return nil
	}
	o.ef = &qdrant.SearchParams{HnswEf: qdrant.PtrOf(uint64(ef))}
	return nil
}

// Search queries.
func (o *ostraka) Search(ctx context.Context, client int, query []float32, k int, filter *Filter, out []uint32) error {
	r, err := qdrant.NewPointsClient(o.conns[client%len(o.conns)]).Query(ctx, &qdrant.QueryPoints{
		CollectionName: collection, Query: qdrant.NewQueryDense(query), Limit: qdrant.PtrOf(uint64(k)), Params: o.ef,
		Filter: filterTo(filter),
	})
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "query")
	}
	for i, p := range r.GetResult() {
		out[i] = uint32(p.GetId().GetNum())
	}
	return nil
}

func filterTo(f *Filter) *qdrant.Filter {
	if f == nil {
		return nil
	}
	return &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewRange(f.Field, &qdrant.Range{Lt: qdrant.PtrOf(float64(f.Below))})}}
}
