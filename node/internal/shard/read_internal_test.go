package shard

import (
	"testing"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// Who asks for a point names it in an error, if there is no record of it.
func TestAPointWithoutARecordKeepsItsID(t *testing.T) {
	store, err := kv.Open(kv.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s, err := Open(Options{Store: store, Generation: 1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, err := s.read(&Look{}, func(*reader) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if got, ok, err := r.stored(point.Num(7)); ok || err != nil || got.ID() != point.Num(7) {
		t.Errorf("got %v, %v, %v", got.ID(), ok, err)
	}
}
