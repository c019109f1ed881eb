package point_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestLazyPayloadsShowWhatIsInThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := payloads().Draw(t, "payload")
		l := point.Lazy(point.EncodePayload(want))
		names := slices.Collect(maps.Keys(want))
		slices.Sort(names)
		names = append(names, keys().Draw(t, "another"))
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 6).Draw(t, "asked") {
			got, ok := l.Member(name)
			if v, has := want[name]; ok != has || !reflect.DeepEqual(got, v) {
				t.Fatalf("%q is %#v (%v), not %#v (%v)", name, got, ok, v, has)
			}
		}
		if got := l.Value(); !reflect.DeepEqual(got, want) || l.Err() != nil {
			t.Fatalf("got %#v, %v, not %#v", got, l.Err(), want)
		}
	})
}

// FuzzLazyPayload holds what members show against the whole: where that can be read they are the same, and damage never panics.
func FuzzLazyPayload(f *testing.F) {
	f.Add(body(point.EncodePayload(goldenRecord().Payload)), "a")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		l := point.Lazy(sealed(b))
		got, ok := l.Member(name)
		if l.Err() != nil && !fault.Is(l.Err(), fault.Corrupt) {
			t.Fatalf("%x: class %v: %v", b, fault.ClassOf(l.Err()), l.Err())
		}
		p, err := point.DecodePayload(sealed(b))
		if err != nil {
			return
		}
		if v, has := p[name]; ok != has || !reflect.DeepEqual(got, v) {
			t.Fatalf("%x: %q is %#v (%v), not %#v (%v)", b, name, got, ok, v, has)
		}
	})
}

func TestLazyPayloadsTellOfDamage(t *testing.T) {
	whole := point.EncodePayload(point.Payload{"a": int64(1), "b": "text"})
	for at := range whole {
		bad := slices.Clone(whole)
		bad[at] ^= 0x10
		l := point.Lazy(bad)
		if v, ok := l.Member("b"); ok || l.Err() == nil {
			t.Errorf("byte %d damaged: %v, %v, %v", at, v, ok, l.Err())
		}
		if v := l.Value(); v != nil || l.Err() == nil {
			t.Errorf("byte %d damaged: %v, %v", at, v, l.Err())
		}
	}
	if l := point.Lazy(nil); l.Value() != nil || l.Err() == nil {
		t.Error("no bytes are a payload")
	}
}
