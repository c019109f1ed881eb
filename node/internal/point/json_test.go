package point_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestJSONNumbersKeepTheirKind(t *testing.T) {
	got := payload(t, `{"int":5,"float":5.0,"exp":1e2,"big":9007199254740993,"max":9223372036854775807,
		"over":9223372036854775808,"min":-9223372036854775808,"zero":-0,"tiny":1e-400}`)
	want := point.Payload{
		"int": int64(5), "float": 5.0, "exp": 100.0, "big": int64(9007199254740993), "max": int64(math.MaxInt64),
		"over": 9223372036854775808.0, "min": int64(math.MinInt64), "zero": math.Copysign(0, -1), "tiny": 0.0,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v", got)
	}
}

func TestBadJSONIsRefused(t *testing.T) {
	for name, in := range map[string]string{
		"empty": "", "array": "[]", "scalar": "1", "null": "null", "cut": `{"a":`, "after the end": `{} {}`, "comma": `{"a":1,}`,
		"bad UTF-8": "{\"a\":\"\xff\"}", "too large": `{"a":1e999}`, "bare": `{a:1}`, "too deep": strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65),
		"hostile": strings.Repeat("[", 1<<20), "NaN": `{"a":NaN}`, "bracket": "]", "rest": `{}]`,
	} {
		if got, err := point.FromJSON([]byte(in)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	deep := strings.Repeat(`{"a[{\"":`, 64) + "1" + strings.Repeat("}", 64)
	if _, err := point.FromJSON([]byte(deep)); err != nil {
		t.Errorf("64 levels: %v", err)
	}
}

func TestJSONComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := payloads().Draw(t, "payload").Clone()
		b, err := point.ToJSON(p)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b) {
			t.Fatalf("%s is no JSON", b)
		}
		got, err := point.FromJSON(b)
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Fatalf("%s\ncame back as %#v, %v\nof %#v", b, got, err, p)
		}
	})
}

func TestJSONIsWrittenInOneWay(t *testing.T) {
	p := point.Payload{"b": 5.0, "a": int64(5), "c": []any{nil, true, "q\"\\\n<é"}, "d": map[string]any{}, "e": 1e30, "f": -1e-9}
	want := `{"a":5,"b":5.0,"c":[null,true,"q\"\\\u000a<é"],"d":{},"e":1e+30,"f":-1e-09}`
	if got, err := point.ToJSON(p); string(got) != want || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := point.ToJSON(nil); string(got) != "{}" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	for _, bad := range []any{1, math.NaN(), "\xff", []any{math.Inf(1)}} {
		if _, err := point.ValueToJSON(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func FuzzJSONComesBack(f *testing.F) {
	f.Add([]byte(`{"a":[1,2.0,"x",null,true,{"b":1e300}],"":-0}`))
	f.Add([]byte(`{"a":"\ud800","a":18446744073709551616}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := point.FromJSON(b)
		if err != nil {
			return
		}
		if err := point.Check(p); err != nil {
			t.Fatal(err)
		}
		once, err := point.ToJSON(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := point.FromJSON(once)
		if err != nil || !bytes.Equal(point.EncodePayload(again), point.EncodePayload(p)) {
			t.Fatalf("%s became %s (%v)", b, once, err)
		}
	})
}
