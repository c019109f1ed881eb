package kv_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/kv"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/point"
)

// flip turns a bit of a file over, and says which.
func flip(t *testing.T, fs vfs.FS, name string, random *rand.Rand) string {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	used := len(body)
	if strings.HasSuffix(name, ".log") {
		used = len(bytes.TrimRight(body, "\x00")) // what is allocated ahead holds nothing
	}
	if used == 0 {
		return ""
	}
	at := random.IntN(used)
	body[at] ^= 1 << random.IntN(8)
	if f, err = fs.Create(name, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err = f.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s, byte %d of %d", name, at, used)
}

const flipped = 60 // points, and entries of each log

func content(i uint64) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8), 7}, 300) }

// written gives a disk that holds points, logs, and a ledger: in tables, and the end of them in a write-ahead file.
func written(t *testing.T) *vfs.MemFS {
	disk := newDisk()
	for life := range uint64(3) {
		s := open(t, disk)
		for i := life * flipped / 3; i < (life+1)*flipped/3; i++ {
			commit(t, s, func(b *kv.Batch) {
				b.PutPayload(gen, point.Num(i), i+1, content(i), kv.Refs{})
				b.PutVectors(gen, point.Num(i), i+1, content(i+1), kv.Refs{})
				b.AppendLog(gen+1, kv.LogEntry{Index: i + 1, Term: 1, Data: content(i)})
				b.SetHardState(gen, kv.HardState{Promised: i})
			})
			if err := s.Ledger().Append(context.Background(), kv.LedgerEntry{Index: i + 1, Data: content(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return disk
}

// audit reads everything. What is there has to be what was written; what is not has to be an error of class Corrupt.
// It ends at the first damage: the database looks for the bit, which takes it a while each time.
func audit(s *kv.Store, from uint64) (damage int, err error) {
	note := func(what string, right bool, e error) {
		switch {
		case fault.Is(e, fault.Corrupt):
			damage++
		case e != nil:
			err = fmt.Errorf("%s: %w", what, e)
		case !right:
			err = fmt.Errorf("%s is not what was written", what)
		}
	}
	v, e := s.View()
	if e != nil {
		return 0, e
	}
	defer v.Close()
	for n := range uint64(flipped) {
		if damage > 0 {
			return damage, err
		}
		i := (from + n) % flipped
		p, ok, e := v.Payload(gen, point.Num(i))
		note(fmt.Sprint("payload ", i), ok && bytes.Equal(p.Body, content(i)), e)
		r, ok, e := v.Vectors(gen, point.Num(i))
		note(fmt.Sprint("vectors ", i), ok && bytes.Equal(r.Body, content(i+1)), e)
		got, e := s.ReadLog(gen+1, i+1, i+2, 1<<20)
		note(fmt.Sprint("entry ", i+1), len(got) == 1 && bytes.Equal(got[0].Data, content(i)), e)
		data, e := s.Ledger().Entry(i + 1)
		note(fmt.Sprint("ledger ", i+1), bytes.Equal(data, content(i)), e)
	}
	n := uint64(0)
	e = v.ScanPayloads(context.Background(), gen, nil, func(r kv.Record) (bool, error) { n++; return true, nil })
	note("a scan", n == flipped, e)
	hs, e := s.HardState(gen)
	note("promise", hs.Promised == flipped-1, e)
	note("ledger", true, s.Ledger().Check(context.Background()))
	return damage, err
}

// The witness is a sealed file: what is synced of the manifest and, of a store that was closed, of the write-ahead file.
func TestWhatIsSyncedIsWrittenDown(t *testing.T) {
	fs := written(t)
	f, err := fs.Open("data/store/witness")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	body, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	golden := regexp.MustCompile(`^OSWT\x01\x00[\x00-\xff]{4}\{"manifest":\{"name":"MANIFEST-\d+","bytes":\d+,"sum":\d+\},"log":\{"name":"\d+\.log","bytes":\d+,"sum":\d+\}\}`)
	if !golden.Match(body) {
		t.Errorf("%q", body)
	}
}

// After a crash the write-ahead file is whatever it is; the manifest is witnessed all the same.
func TestAShorterManifestIsDamage(t *testing.T) {
	fs := written(t)
	names, err := fs.List("data/store")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, "MANIFEST-") })
	name := "data/store/" + names[len(names)-1]
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if f, err = fs.Create(name, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err = f.Write(body[:len(body)-1]); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if s, err := kv.Open(kv.Options{Dir: "data/store", FS: fs}); !fault.Is(err, fault.Corrupt) {
		t.Errorf("it opens: %v", err)
		_ = s.Close()
	}
}

// A bit that turned over, in whichever file, is found: no read gives anything but what was written, and nothing is missing without a word.
func TestABitThatTurnedOverIsNeverServed(t *testing.T) {
	sound := written(t)
	if s := open(t, sound.CrashClone(vfs.CrashCloneCfg{})); true {
		if damage, err := audit(s, 0); damage > 0 || err != nil {
			t.Fatalf("%d damaged, %v", damage, err)
		}
	}
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	found := map[string]int{}
	for round := range uint64(rounds) {
		random := rand.New(rand.NewPCG(round, 2))
		disk := sound.CrashClone(vfs.CrashCloneCfg{})
		names, err := disk.List("data/store")
		if err != nil {
			t.Fatal(err)
		}
		name := names[random.IntN(len(names))]
		if name == "LOCK" || name == "spare" || strings.HasPrefix(name, "OPTIONS") { // what is in that is known beside
			continue
		}
		where := flip(t, disk, "data/store/"+name, random)
		if where == "" {
			continue
		}
		kind := name[strings.LastIndexAny(name, ".")+1:]
		if strings.HasPrefix(name, "MANIFEST") || strings.HasPrefix(name, "OPTIONS") || strings.HasPrefix(name, "marker") {
			kind, _, _ = strings.Cut(name, "-")
			kind, _, _ = strings.Cut(kind, ".0")
		}
		s, err := kv.Open(kv.Options{Dir: "data/store", FS: disk})
		if err != nil {
			if !fault.Is(err, fault.Corrupt) {
				t.Errorf("round %d: %s: open: %v", round, where, err)
			}
			found[kind+" open"]++
			continue
		}
		damage, err := audit(s, random.Uint64N(flipped))
		if err != nil {
			t.Errorf("round %d: %s: %v", round, where, err)
		}
		if damage > 0 {
			found[kind+" read"]++
		} else {
			found[kind+" harmless"]++
		}
		if err := s.Close(); err != nil {
			t.Logf("round %d: %s: close: %v", round, where, err)
		}
	}
	t.Log(found)
}
