package api

import (
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plain reports whether a request is of the kind that comes more often than any other, a search for one vector, and
// has nothing in it that the guard would refuse, but for its filter, if it has one. The guard asks here first: it goes by descriptors,
// which takes ten times as long. Of what is not plain nothing is said.
func plain(req proto.Message) (f *qdrant.Filter, ok bool) {
	switch r := req.(type) {
	case *qdrant.QueryPoints:
		return r.Filter, len(r.GetPrefetch()) == 0 && r.LookupFrom == nil && r.ReadConsistency == nil && r.ShardKeySelector == nil &&
			atLeastOne(r.Limit) && atLeastOne(r.Timeout) && plainVector(r.GetQuery()) && plainView(r.GetWithPayload(), r.GetWithVectors()) &&
			plainParams(r.GetParams()) && whole(r.ProtoReflect())
	case *qdrant.SearchPoints:
		return r.Filter, r.SparseIndices == nil && r.ReadConsistency == nil && r.ShardKeySelector == nil &&
			r.GetLimit() > 0 && atLeastOne(r.Timeout) && plainView(r.GetWithPayload(), r.GetWithVectors()) && plainParams(r.GetParams()) &&
			whole(r.ProtoReflect())
	}
	return nil, false
}

// whole reports whether a message has no field that this server does not know.
func whole(m protoreflect.Message) bool { return len(m.GetUnknown()) == 0 }

func atLeastOne(n *uint64) bool { return n == nil || *n > 0 }

// plainVector reports whether a query is for what is nearest to one dense vector.
func plainVector(q *qdrant.Query) bool {
	nearest, ok := q.GetVariant().(*qdrant.Query_Nearest)
	if !ok || !whole(q.ProtoReflect()) {
		return false
	}
	v, ok := nearest.Nearest.GetVariant().(*qdrant.VectorInput_Dense)
	return ok && whole(nearest.Nearest.ProtoReflect()) && whole(v.Dense.ProtoReflect())
}

// plainView reports whether nothing, or all, of payloads is to be returned, and no vectors.
func plainView(p *qdrant.WithPayloadSelector, v *qdrant.WithVectorsSelector) bool {
	if v != nil {
		return false
	}
	if p == nil {
		return true
	}
	_, ok := p.GetSelectorOptions().(*qdrant.WithPayloadSelector_Enable)
	return ok && whole(p.ProtoReflect())
}

func plainParams(p *qdrant.SearchParams) bool {
	return p == nil || p.Quantization == nil && p.Acorn == nil && p.Idf == nil && whole(p.ProtoReflect())
}
