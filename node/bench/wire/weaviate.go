package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ostraka/terraform-provider-ostraka/node/bench/dataset"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/vec"
)

// weaviate speaks Weaviate's gRPC and REST APIs, as far as the bench needs them. Messages are written field by field, so
// that its module, which is large, is no dependency of this one.
type weaviate struct {
	*process
	conns []*grpc.ClientConn
	rest  string
	index map[string]any // of the class, as it was declared
}

// WeaviateName is its name in tables.
const WeaviateName = "Weaviate"

// StartWeaviate starts a Weaviate server that was built from its Go module.
func StartWeaviate(ctx context.Context, program string, clients int) (Server, error) {
	dir, err := os.MkdirTemp("", "weaviate-bench-")
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "start Weaviate")
	}
	ports, err := freePorts(6)
	if err != nil {
		return nil, err
	}
	port := func(i int) string { return strconv.Itoa(ports[i]) }
	p, err := start(WeaviateName, dir, []string{
		"PERSISTENCE_DATA_PATH=" + dir + "/data", "GRPC_PORT=" + port(1), "CLUSTER_HOSTNAME=bench", "CLUSTER_GOSSIP_BIND_PORT=" + port(2),
		"CLUSTER_DATA_BIND_PORT=" + port(3), "RAFT_PORT=" + port(4), "RAFT_INTERNAL_RPC_PORT=" + port(5), "RAFT_BOOTSTRAP_EXPECT=1",
		"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED=true", "DEFAULT_VECTORIZER_MODULE=none", "DISABLE_TELEMETRY=true", "LOG_LEVEL=error",
		"CLUSTER_ADVERTISE_ADDR=127.0.0.1", "GO_PROFILING_DISABLE=true",
	}, program, "--host", "127.0.0.1", "--port", port(0), "--scheme", "http")
	if err != nil {
		return nil, err
	}
	w := &weaviate{process: p, rest: "http://127.0.0.1:" + port(0) + "/v1/"}
	if w.conns, err = dial("127.0.0.1:"+port(1), clients); err == nil {
		err = p.until(ctx, "it is ready", func(ctx context.Context) error { return w.call(ctx, http.MethodGet, ".well-known/ready", nil) })
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Close ends the server.
func (w *weaviate) Close() error { return errors.Join(hangUp(w.conns), w.stop()) }

func (w *weaviate) call(ctx context.Context, method, path string, body any) error {
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			return fault.Wrap(fault.Internal, err, "call Weaviate")
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, w.rest+path, &b)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "call Weaviate")
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "call Weaviate")
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return fault.Wrap(fault.Unavailable, err, "call Weaviate")
	}
	if resp.StatusCode >= 300 {
		return fault.New(fault.Unavailable, "Weaviate, %s %s: %s: %.500s", method, path, resp.Status, text)
	}
	return nil
}

func (w *weaviate) class(ef int) map[string]any {
	w.index["ef"] = ef
	return map[string]any{"class": collection, "vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": w.index}
}

// Create declares the class.
func (w *weaviate) Create(ctx context.Context, set *dataset.Set, p Params) error {
	distance := map[vec.Distance]string{vec.Cosine: "cosine", vec.Euclid: "l2-squared", vec.Dot: "dot", vec.Manhattan: "manhattan"}[set.Distance]
	w.index = map[string]any{"distance": distance, "maxConnections": p.M, "efConstruction": p.EfConstruct}
	_ = w.call(ctx, http.MethodDelete, "schema/"+collection, nil) // there may be none
	return w.call(ctx, http.MethodPost, "schema", w.class(64))
}

// SetEf changes the class.
func (w *weaviate) SetEf(ctx context.Context, ef int) error {
	return w.call(ctx, http.MethodPut, "schema/"+collection, w.class(ef))
}

// rawCodec passes bytes through.
type rawCodec struct{}

// Marshal returns the bytes.
func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

// Unmarshal copies the bytes.
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

// Name is protobuf's, which the server expects.
func (rawCodec) Name() string { return "proto" }

func (w *weaviate) invoke(ctx context.Context, client int, method string, in []byte) (out []byte, err error) {
	err = w.conns[client%len(w.conns)].Invoke(ctx, "/weaviate.v1.Weaviate/"+method, &in, &out, grpc.ForceCodec(rawCodec{}))
	return out, fault.Wrap(fault.Unavailable, err, "Weaviate, %s", method)
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendBytes(b []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), value)
}

func appendNumber(b []byte, field protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), value)
}

func floats(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// Store sends a batch: BatchObjectsRequest{1: objects}, BatchObject{1: uuid, 4: collection, 6: vector_bytes}.
func (w *weaviate) Store(ctx context.Context, set *dataset.Set, from, to int) error {
	var request, object []byte
	for i := from; i < to; i++ {
		object = appendText(object[:0], 1, fmt.Sprintf("00000000-0000-0000-0000-%012x", i))
		object = appendText(object, 4, collection)
		object = appendBytes(object, 6, floats(set.Vector(i)))
		request = appendBytes(request, 1, object)
	}
	reply, err := w.invoke(ctx, from/(to-from), "BatchObjects", request)
	if err != nil {
		return err
	}
	return fields(reply, func(field protowire.Number, value []byte) error {
		if field == 2 {
			return fault.New(fault.Unavailable, "Weaviate refuses an object: %q", value)
		}
		return nil
	})
}

// Ready returns at once: a batch is answered when its objects are in the index.
func (w *weaviate) Ready(context.Context, int) error { return nil }

// Search sends SearchRequest{1: collection, 21: metadata{1: uuid}, 30: limit, 43: near_vector{4: vector_bytes}, 102}, and
// reads SearchReply{2: result{2: metadata{1: id}}}.
func (w *weaviate) Search(ctx context.Context, client int, query []float32, k int, filter *Filter, out []uint32) error {
	if filter != nil {
		return fault.New(fault.Unsupported, "filters are not measured with Weaviate")
	}
	request := appendText(make([]byte, 0, 4*len(query)+100), 1, collection)
	request = appendBytes(request, 21, appendNumber(nil, 1, 1))
	request = appendNumber(request, 30, uint64(k))
	request = appendBytes(request, 43, appendBytes(make([]byte, 0, 4*len(query)+16), 4, floats(query)))
	request = appendNumber(request, 102, 1)
	reply, err := w.invoke(ctx, client, "Search", request)
	if err != nil {
		return err
	}
	n := 0
	return fields(reply, func(field protowire.Number, value []byte) error {
		if field != 2 || n == k {
			return nil
		}
		return fields(value, func(field protowire.Number, value []byte) error {
			if field != 2 {
				return nil
			}
			return fields(value, func(field protowire.Number, value []byte) error {
				if field != 1 || len(value) != 36 {
					return nil
				}
				id, err := strconv.ParseUint(string(value[24:]), 16, 32)
				out[n] = uint32(id)
				n++
				return fault.Wrap(fault.Unavailable, err, "Weaviate, id")
			})
		})
	})
}

// fields calls visit with the fields of a message that hold bytes.
func fields(b []byte, visit func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fault.New(fault.Unavailable, "a reply is no message")
		}
		b = b[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(field, kind, b); n < 0 {
				return fault.New(fault.Unavailable, "a reply is no message")
			}
			b = b[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return fault.New(fault.Unavailable, "a reply is no message")
		}
		if err := visit(field, value); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
