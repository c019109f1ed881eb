package peer

import (
	"reflect"
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/catalog"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/replication"
)

// A field that the protocol gains and the wire lacks would be lost without a word.
func TestEveryFieldOfAMessageSurvivesTheWire(t *testing.T) {
	m := replication.Message{}
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Uint64:
			f.SetUint(uint64(100 + i))
		case reflect.Bool:
			f.SetBool(true)
		}
	}
	m.Type = replication.MsgAppend
	m.Entries = []replication.Entry{{Term: m.Term, Index: m.PrevIndex + 1, Kind: replication.TermStart, Data: []byte("x")}}
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("this test does not set %s", v.Type().Field(i).Name)
		}
	}
	m.PrevTerm = m.Term
	want := Envelope{Ref: catalog.ShardRef{Collection: 1, Shard: 2}, Generation: 3, Message: m}
	got, err := envelopeFromWire(envelopeToWire(want))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
