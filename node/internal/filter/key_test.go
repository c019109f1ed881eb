package filter_test

import (
	"strings"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/filter"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestFiltersThatDifferHaveOtherKeys(t *testing.T) {
	field := func(key, word string) filter.Condition {
		return filter.Condition{Field: &filter.Field{Key: key, Match: &filter.Match{Keyword: &word}}}
	}
	one, other := field("a", "x"), field("a", "y")
	inside := func(c filter.Condition) filter.Condition {
		return filter.Condition{Nested: &filter.Nested{Key: "n", Filter: filter.Filter{Must: []filter.Condition{c}}}}
	}
	seen := map[string]int{}
	for i, f := range []*filter.Filter{
		{Must: []filter.Condition{one}}, {Must: []filter.Condition{other}}, {MustNot: []filter.Condition{one}},
		{Should: []filter.Condition{one}}, {Must: []filter.Condition{one, other}}, {Must: []filter.Condition{inside(one)}},
		{MinShould: &filter.MinShould{Conditions: []filter.Condition{one}, Count: 1}},
		{MinShould: &filter.MinShould{Conditions: []filter.Condition{one}}},
		{Must: []filter.Condition{{Filter: &filter.Filter{Must: []filter.Condition{one}}}}},
	} {
		key := f.Key()
		if before, ok := seen[key]; ok || key == "" {
			t.Errorf("filter %d has the key of filter %d: %q", i, before, key)
		}
		if seen[key] = i; f.Key() != key {
			t.Errorf("filter %d has two keys", i)
		}
	}
}

func TestFiltersThatAreLargeOrNamePointsHaveNoKey(t *testing.T) {
	word, long := "x", strings.Repeat("x", 5000)
	c := filter.Condition{Field: &filter.Field{Key: "a", Match: &filter.Match{Keyword: &word}}}
	ids := filter.Condition{HasID: &filter.HasID{IDs: []point.ID{point.Num(1)}}}
	lists := func(c filter.Condition) []*filter.Filter {
		return []*filter.Filter{
			{Must: []filter.Condition{c}}, {Should: []filter.Condition{c}}, {MustNot: []filter.Condition{c}},
			{MinShould: &filter.MinShould{Conditions: []filter.Condition{c}}},
			{Must: []filter.Condition{{Filter: &filter.Filter{MustNot: []filter.Condition{c}}}}},
		}
	}
	none := []*filter.Filter{nil, {}, {Must: make([]filter.Condition, 65)}}
	none = append(none, lists(ids)...)
	none = append(none, lists(filter.Condition{Field: &filter.Field{Key: "a", Match: &filter.Match{AnyInteger: make([]int64, 64)}}})...)
	none = append(none, lists(filter.Condition{Field: &filter.Field{Key: "a", Match: &filter.Match{ExceptKeyword: make([]string, 64)}}})...)
	none = append(none, lists(filter.Condition{Field: &filter.Field{Key: "a", Match: &filter.Match{Keyword: &long}}})...)
	for i, f := range none {
		if key := f.Key(); key != "" {
			t.Errorf("filter %d: %q", i, key)
		}
	}
	for i, f := range lists(c) {
		if f.Key() == "" {
			t.Errorf("filter %d has none", i)
		}
	}
}
