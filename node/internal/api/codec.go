package api

import (
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// codec reads the request that comes most often, and writes its answer, by itself: a query for what is nearest to one vector, of points
// that show nothing but ids and scores. The library's codec goes by descriptors and makes each message for itself, which for such a
// request takes longer than half of what its search takes. All else, and whatever is unusual in such a request, is left to that codec.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if q, ok := v.(*qdrant.QueryPoints); ok && data.Len() <= maxQuickBytes {
		buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer buf.Free()
		if readQuery(buf.ReadOnlyData(), q) {
			return nil
		}
	}
	return c.CodecV2.Unmarshal(data, v)
}

// maxQuickBytes: what is larger takes so long by itself that how it is read hardly counts.
const maxQuickBytes = 64 << 10

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(*qdrant.QueryResponse); ok && r.Usage == nil {
		if size, ok := sizeOfHits(r); ok {
			if mem.IsBelowBufferPoolingThreshold(size) {
				return mem.BufferSlice{mem.SliceBuffer(appendHits(make([]byte, 0, size), r))}, nil
			}
			pool := mem.DefaultBufferPool()
			buf := pool.Get(size)
			*buf = appendHits((*buf)[:0], r)
			return mem.BufferSlice{mem.NewBuffer(buf, pool)}, nil
		}
	}
	return c.CodecV2.Marshal(v)
}
