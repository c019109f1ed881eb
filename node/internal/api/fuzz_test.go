package api_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/api"
)

// FuzzRequests sends any bytes to any method. What decodes must be answered or refused as the caller's fault: never
// a panic, never an internal error.
func FuzzRequests(f *testing.F) {
	seeds := examples()
	methods := slices.Sorted(maps.Keys(seeds))
	for i, method := range methods {
		for _, request := range seeds[method] {
			b, err := proto.Marshal(request)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), b)
		}
	}
	f.Add(uint8(0), []byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, method uint8, request []byte) {
		l := prepared(t)
		_, err := l.call(context.Background(), methods[int(method)%len(methods)], request)
		switch code := status.Code(err); code {
		case codes.OK, codes.InvalidArgument, codes.NotFound, codes.Unimplemented, codes.AlreadyExists, codes.FailedPrecondition, codes.ResourceExhausted:
		case codes.Unknown: // the bytes are not a request; the library says so before any handler
			if _, ok := status.FromError(err); ok {
				t.Errorf("%s: %v", methods[int(method)%len(methods)], err)
			}
		default:
			t.Errorf("%s: %s: %v", methods[int(method)%len(methods)], code, err)
		}
	})
}

func FuzzConversionsComeBack(f *testing.F) {
	for _, requests := range examples() {
		for _, request := range requests {
			b, err := proto.Marshal(request)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := api.Conversions(b); err != nil {
			t.Error(err)
		}
	})
}
