package api

import (
	"context"
	"math"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/metadata"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/coordinator"
)

// ConsistencyKey is the gRPC metadata that asks for what Qdrant's API has no field for: "strong" makes a read linearizable,
// "eventual" is the default. It says nothing to a write.
const ConsistencyKey = "x-ostraka-consistency"

// consistencyHeader reports whether a request asks for a linearizable read.
func consistencyHeader(ctx context.Context) (strong bool, err error) {
	values := metadata.ValueFromIncomingContext(ctx, ConsistencyKey)
	for i, v := range values {
		switch {
		case i > 0 && v != values[0]:
			return false, invalid("%s: it is given as both %.64q and %.64q", ConsistencyKey, values[0], v)
		case v == "strong":
			strong = true
		case v != "eventual":
			return false, invalid(`%s: %.64q is not a known value: use "strong" or "eventual"`, ConsistencyKey, v)
		}
	}
	return strong, nil
}

// readOptions reads which shard keys a read is for, and how many replicas it is to be answered from.
func readOptions(ctx context.Context, r *qdrant.ReadConsistency, s *qdrant.ShardKeySelector) (coordinator.ReadOptions, error) {
	keys, err := keysFrom(s)
	if err != nil {
		return coordinator.ReadOptions{}, err
	}
	o, err := consistencyOptions(ctx, r)
	o.Keys = keys
	return o, err
}

func consistencyOptions(ctx context.Context, r *qdrant.ReadConsistency) (coordinator.ReadOptions, error) {
	strong, err := consistencyHeader(ctx)
	if err != nil {
		return coordinator.ReadOptions{}, err
	}
	o, err := consistencyFrom(r)
	if strong && err == nil {
		if o.Consistency != coordinator.One {
			return o, invalid("read_consistency and %s: strong exclude each other: a linearizable read is answered by one replica", ConsistencyKey)
		}
		o.Consistency = coordinator.Linearizable
	}
	return o, err
}

func consistencyFrom(r *qdrant.ReadConsistency) (o coordinator.ReadOptions, err error) {
	if r == nil {
		return o, nil
	}
	switch v := r.GetValue().(type) {
	case *qdrant.ReadConsistency_Factor:
		switch v.Factor {
		case 0:
			return o, invalid("read_consistency: a factor of 0 asks nobody")
		case 1:
			return o, nil
		}
		return coordinator.ReadOptions{Consistency: coordinator.Factor, Factor: uint32(min(v.Factor, math.MaxInt32))}, nil
	case *qdrant.ReadConsistency_Type:
		switch v.Type {
		case qdrant.ReadConsistencyType_All:
			o.Consistency = coordinator.All
		case qdrant.ReadConsistencyType_Majority:
			o.Consistency = coordinator.Majority
		case qdrant.ReadConsistencyType_Quorum:
			o.Consistency = coordinator.Quorum
		default:
			return o, invalid("read_consistency: type %d is not known", v.Type)
		}
		return o, nil
	}
	return o, invalid("read_consistency: it is given, but empty")
}
