package point_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

func TestKeysSortAsIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := ids().Draw(t, "a"), ids().Draw(t, "b")
		ka, kb := a.AppendKey(nil), b.AppendKey(nil)
		if bytes.Compare(ka, kb) != a.Compare(b) || (a == b) != (a.Compare(b) == 0) || a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%v and %v: keys %x and %x", a, b, ka, kb)
		}
		got, rest, err := point.CutKey(append(ka, "rest"...))
		if got != a || string(rest) != "rest" || err != nil {
			t.Fatalf("got %v, %q, %v", got, rest, err)
		}
	})
	if point.Num(1<<64-1).Compare(point.UUID([16]byte{})) >= 0 {
		t.Error("numbers come before UUIDs")
	}
}

func TestTextOfIDsComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := ids().Draw(t, "id")
		b, err := json.Marshal(map[string]any{"id": id})
		var got struct{ ID point.ID }
		if err == nil {
			err = json.Unmarshal(b, &got)
		}
		if err != nil || got.ID != id {
			t.Fatalf("%s: got %v, %v", b, got.ID, err)
		}
	})
}

func TestUUIDsAreReadInEveryForm(t *testing.T) {
	want, err := point.ParseUUID(someUUID)
	if err != nil || want.String() != someUUID || !want.IsUUID() {
		t.Fatalf("got %v, %v", want, err)
	}
	for _, s := range []string{
		strings.ToUpper(someUUID), strings.ReplaceAll(someUUID, "-", ""), "{" + someUUID + "}", "urn:uuid:" + someUUID,
	} {
		if got, err := point.ParseID(s); got != want || err != nil {
			t.Errorf("%s: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "-1", "1.5", "18446744073709551616", someUUID + "0", someUUID[1:], "x" + someUUID + "y"} {
		if got, err := point.ParseID(s); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	if _, err := point.ParseUUID("zz"); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "Unable to parse UUID") {
		t.Errorf("got %v", err)
	}
	if got, err := point.ParseID(strings.Repeat("1", 32)); err != nil || !got.IsUUID() {
		t.Errorf("32 digits: got %v, %v", got, err)
	}
}
