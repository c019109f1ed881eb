package payload_test

import (
	"slices"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/payload"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestValuesOfManyPoints(t *testing.T) {
	id := "7f8f6ff2-0a2b-4c4f-9b0e-3a3f0c0f0a01"
	s := payload.New(payload.Schema{"k": {Kind: payload.Keyword}, "u": {Kind: payload.UUID}, "i": {Kind: payload.Integer}, "b": {Kind: payload.Bool}, "f": {Kind: payload.Float}})
	for l := range uint32(100) {
		p := point.Payload{"k": []any{"all", []string{"odd", "even"}[(l+1)%2]}, "i": int64(l % 3), "b": l < 60, "f": 1.5}
		if l%4 == 0 {
			p["u"] = id
		}
		s.Put(l, s.Extract(p))
	}
	s.Remove(0)
	for path, want := range map[string][]payload.Facet{
		"k": {{Value: "all", Count: 99}, {Value: "odd", Count: 50}}, "u": nil, "f": nil, "none": nil,
		"i": {}, "b": {{Value: true, Count: 59}},
	} {
		if got := s.Large(path, 50); !slices.Equal(got, want) {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := s.Large("u", 24); !slices.Equal(got, []payload.Facet{{Value: id, Count: 24}}) {
		t.Error(got)
	}
	if got := s.Large("i", 33); !slices.Equal(got, []payload.Facet{{Value: int64(0), Count: 33}, {Value: int64(1), Count: 33}, {Value: int64(2), Count: 33}}) {
		t.Error(got)
	}
	s.Change(payload.Schema{"k": {Kind: payload.Keyword}, "late": {Kind: payload.Keyword}})
	if got := s.Large("late", 0); got != nil {
		t.Errorf("of an index that is not complete: %v", got)
	}
}
