package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/config"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

func environment(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func flags(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func TestOrderIsFlagEnvironmentFileDefault(t *testing.T) {
	all := config.Sources{
		Flags:    flags("zone", "flag"),
		Lookup:   environment("OSTRAKA_ZONE", "environment"),
		FileName: "node.hcl", File: []byte(`zone = "file"`),
	}
	for _, c := range []struct {
		name string
		drop func(*config.Sources)
		want string
	}{
		{"all", func(*config.Sources) {}, "flag"},
		{"no flag", func(s *config.Sources) { s.Flags = nil }, "environment"},
		{"empty variable", func(s *config.Sources) { s.Flags, s.Lookup = nil, environment("OSTRAKA_ZONE", "") }, "file"},
		{"no variable", func(s *config.Sources) { s.Flags, s.Lookup = nil, nil }, "file"},
		{"nothing", func(s *config.Sources) { *s = config.Sources{} }, "usual"},
	} {
		sources := all
		c.drop(&sources)
		v, err := config.Table{{Name: "zone", Default: "usual"}}.Resolve(sources)
		if err != nil || v.String("zone") != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.name, v.String("zone"), err, c.want)
		}
	}
}

func TestEverySettingHasAFlagAVariableAndAKey(t *testing.T) {
	texts := map[config.Kind][2]string{ // as text, and as HCL
		config.String: {"x", `"x"`}, config.Bool: {"true", "true"}, config.Int: {"3", "3"}, config.List: {"a:1, b:2", `["a:1", "b:2"]`},
	}
	get := func(v config.Values, s config.Setting) any {
		switch s.Kind {
		case config.Bool:
			return v.Bool(s.Name)
		case config.Int:
			return v.Int(s.Name)
		case config.List:
			return v.List(s.Name)
		default:
			return v.String(s.Name)
		}
	}
	for _, s := range config.Serve() {
		table := config.Table{s}
		text := texts[s.Kind]
		want, err := table.Resolve(config.Sources{Flags: flags(s.Name, text[0])})
		if err != nil {
			t.Fatal(err)
		}
		if get(want, s) == nil || !want.Given(s.Name) {
			t.Errorf("%s: the flag has no effect", s.Name)
		}
		for name, sources := range map[string]config.Sources{
			"environment": {Lookup: environment(s.Env(), text[0])},
			"file":        {FileName: "f", File: []byte(s.Key() + " = " + text[1])},
		} {
			got, err := table.Resolve(sources)
			if err != nil || !reflect.DeepEqual(get(got, s), get(want, s)) || !got.Given(s.Name) {
				t.Errorf("%s by %s: got %v, %v", s.Name, name, get(got, s), err)
			}
		}
		if !strings.Contains(config.Serve().Markdown(), "`"+s.Env()+"`") {
			t.Errorf("%s is not in the documentation", s.Name)
		}
		if s.Usage == "" || (s.Kind != config.Bool && s.Placeholder == "") {
			t.Errorf("%s is not described", s.Name)
		}
	}
}

func TestWrongValuesNameTheirSource(t *testing.T) {
	table := config.Table{{Name: "peers", Kind: config.Int, Default: "1"}, {Name: "on", Kind: config.Bool, Default: "false"},
		{Name: "data-dir"}, {Name: "join", Kind: config.List}}
	for _, c := range []struct {
		sources config.Sources
		says    string
	}{
		{config.Sources{Flags: flags("peers", "many")}, `--peers "many": want a whole number, 0 or more`},
		{config.Sources{Flags: flags("peers", "-1")}, `--peers "-1": want a whole number`},
		{config.Sources{Lookup: environment("OSTRAKA_ON", "maybe")}, `--on "maybe" (environment OSTRAKA_ON): want true or false`},
		{file("\non = 1"), `node.hcl:2: on: want true or false`},
		{file("peers = 1e999999999"), `node.hcl:1: peers: want a whole number`},
		{file("peers = 1.5"), `node.hcl:1: peers: want a whole number`},
		{file(`data_dir = 5`), `node.hcl:1: data_dir: want text in quotes`},
		{file(`data_dir = null`), `node.hcl:1: data_dir: want a value`},
		{file(`join = "a"`), `node.hcl:1: join: want a list`},
		{file(`join = ["a", 1]`), `node.hcl:1: join: want a list`},
		{file(`join = [null]`), `node.hcl:1: join: want`},
		{file(`data-dir = "x"`), `node.hcl:1: data-dir is no key: write data_dir`},
		{file(`colour = "x"`), `node.hcl:1: colour is no key: there are peers, on, data_dir, join`},
		{file(`data_dir = "a`), `node.hcl:1: `},
		{file("data_dir = env.HOME"), `node.hcl:1: data_dir: want a plain value`},
		{file("join = [for a in [1, 2] : [for b in [1, 2] : a]]"), `node.hcl:1: join: want a plain value`},
		{file("peers = 1 + 1"), `node.hcl:1: peers: want a plain value`},
		{file("data_dir = \"a\"\ndata_dir = \"b\""), `node.hcl:2: Attribute redefined`},
		{file("server {}"), `node.hcl:1: Unexpected "server" block`},
		{file(strings.Repeat(" ", config.MaxFileBytes+1)), `at most 65536`},
		{file(strings.Repeat("[", config.MaxFileBytes)), `node.hcl:1: `},
	} {
		_, err := table.Resolve(c.sources)
		if err == nil || !strings.Contains(err.Error(), c.says) || !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want it to say %q", err, c.says)
		}
	}
}

func file(text string) config.Sources {
	return config.Sources{FileName: "node.hcl", File: []byte(text)}
}

func TestLinesMayHoldCommas(t *testing.T) {
	table := config.Table{{Name: "where", Kind: config.Lines}}
	for name, sources := range map[string]config.Sources{
		"flag":        {Flags: flags("where", "a=1,2\nb=3")},
		"environment": {Lookup: environment("OSTRAKA_WHERE", "a=1,2\n b=3 \n")},
		"file":        file(`where = ["a=1,2", "b=3"]`),
	} {
		v, err := table.Resolve(sources)
		if err != nil || !reflect.DeepEqual(v.List("where"), []string{"a=1,2", "b=3"}) {
			t.Errorf("%s: got %q, %v", name, v.List("where"), err)
		}
	}
}

func TestASecondVariableStandsInForTheFirst(t *testing.T) {
	table := config.Table{{Name: "endpoint", Kind: config.List, AlsoEnv: "OSTRAKA_ENDPOINTS"}}
	for want, lookup := range map[string]func(string) (string, bool){
		"own": environment("OSTRAKA_ENDPOINTS", "other", "OSTRAKA_ENDPOINT", "own"), "other": environment("OSTRAKA_ENDPOINTS", "other"),
	} {
		v, err := table.Resolve(config.Sources{Lookup: lookup})
		if err != nil || !reflect.DeepEqual(v.List("endpoint"), []string{want}) {
			t.Errorf("got %v, %v, want %s", v.List("endpoint"), err, want)
		}
	}
}

func TestAFileMayServeSeveralCommands(t *testing.T) {
	s := file("zone = \"a\"\nbase_port = 7000")
	s.Others = config.Table{{Name: "base-port", Kind: config.Int}}
	v, err := config.Table{{Name: "zone"}}.Resolve(s)
	if err != nil || v.String("zone") != "a" {
		t.Errorf("got %v", err)
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	v, err := config.Serve().Resolve(config.Sources{Flags: flags("log-level", "loud", "grpc-addr", "nowhere", "zone", "a b")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.ServeOptions("host")
	for _, says := range []string{"--data-dir", "--log-level", "--grpc-addr", "--zone"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: does not name %s", err, says)
		}
	}
}

func serve(pairs ...string) (config.ServeOptions, error) {
	f := flags(pairs...)
	if _, ok := f["data-dir"]; !ok {
		f["data-dir"] = "/data"
	}
	v, err := config.Serve().Resolve(config.Sources{Flags: f})
	if err != nil {
		return config.ServeOptions{}, err
	}
	return v.ServeOptions("host-1")
}

func TestServeDefaults(t *testing.T) {
	got, err := serve()
	want := config.ServeOptions{
		DataDir: "/data", Name: "host-1",
		HTTPAddr: "127.0.0.1:6333", GRPCAddr: "127.0.0.1:6334", PeerAddr: "127.0.0.1:6335",
		AdvertiseHTTP: "127.0.0.1:6333", AdvertiseGRPC: "127.0.0.1:6334", AdvertisePeer: "127.0.0.1:6335",
		LogLevel: "info", LogFormat: "text", VerifyEvery: 24 * time.Hour,
		MaxRequests: 1024, MaxWaiting: 4096, RequestMemory: 1 << 30,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestServeAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		check func(config.ServeOptions) bool
	}{
		"limits": {[]string{"max-requests", "7", "max-waiting", "8", "request-memory", "256", "memory-limit", "300"}, func(o config.ServeOptions) bool {
			return o.MaxRequests == 7 && o.MaxWaiting == 8 && o.RequestMemory == 256<<20 && o.MemoryLimit == 300<<20
		}},
		"never verify":      {[]string{"verify-every", "0"}, func(o config.ServeOptions) bool { return o.VerifyEvery == 0 }},
		"verify every hour": {[]string{"verify-every", "1h"}, func(o config.ServeOptions) bool { return o.VerifyEvery == time.Hour }},
		"bootstrap":         {[]string{"bootstrap", "true"}, func(o config.ServeOptions) bool { return o.Bootstrap }},
		"join": {[]string{"join", "127.0.0.1:7335,b.example:6335"}, func(o config.ServeOptions) bool {
			return reflect.DeepEqual(o.Join, []string{"127.0.0.1:7335", "b.example:6335"}) && len(o.Warnings) == 1
		}},
		"expect, itself in the list": {[]string{"bootstrap-expect", "3", "join", "127.0.0.1:6335,127.0.0.1:6345,127.0.0.1:6355"}, func(o config.ServeOptions) bool {
			return o.BootstrapExpect == 3 && len(o.Warnings) == 0
		}},
		"expect, itself not in the list": {[]string{"bootstrap-expect", "3", "join", "127.0.0.1:6345,127.0.0.1:6355"}, func(o config.ServeOptions) bool { return o.BootstrapExpect == 3 }},
		"a majority is enough":           {[]string{"bootstrap-expect", "2", "join", "127.0.0.1:6345,127.0.0.1:6355"}, func(o config.ServeOptions) bool { return len(o.Warnings) == 1 }},
		"every interface": {[]string{"grpc-addr", "0.0.0.0:1", "http-addr", "[::]:2", "peer-addr", ":3", "advertise-grpc", "n1:1", "advertise-peer", "n1:3"}, func(o config.ServeOptions) bool {
			return o.AdvertiseHTTP == "n1:2" && o.AdvertiseGRPC == "n1:1" && o.AdvertisePeer == "n1:3"
		}},
	} {
		got, err := serve(c.flags...)
		if err != nil || !c.check(got) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	for _, c := range []struct {
		flags []string
		says  string
	}{
		{[]string{"data-dir", " "}, "--data-dir: missing"},
		{[]string{"max-requests", "0"}, "--max-requests"},
		{[]string{"max-waiting", "0"}, "--max-waiting"},
		{[]string{"request-memory", "64"}, `--request-memory "64": want 128`},
		{[]string{"memory-limit", "64"}, `--memory-limit "64": want at least 256`},
		{[]string{"verify-every", "often"}, `--verify-every "often": want a time`},
		{[]string{"verify-every", "1s"}, "--verify-every"},
		{[]string{"verify-every", "-1h"}, "--verify-every"},
		{[]string{"name", "a b"}, `--name "a b": want 1 to 63 letters`},
		{[]string{"name", "-a"}, "--name"},
		{[]string{"name", strings.Repeat("x", 64)}, "--name"},
		{[]string{"grpc-addr", "6334"}, `--grpc-addr "6334": want HOST:PORT`},
		{[]string{"grpc-addr", "127.0.0.1:0"}, "want HOST:PORT"},
		{[]string{"grpc-addr", "http://a:1"}, "want HOST:PORT"},
		{[]string{"http-addr", "127.0.0.1:6334"}, "--http-addr has the same address"},
		{[]string{"grpc-addr", "0.0.0.0:6334"}, "--advertise-grpc"},
		{[]string{"peer-addr", ":6335"}, "--advertise-peer"},
		{[]string{"advertise-peer", "0.0.0.0:6335"}, "0.0.0.0 is none"},
		{[]string{"advertise-grpc", "host"}, `--advertise-grpc "host": want`},
		{[]string{"join", "a"}, `--join "a": "a": want the peer address`},
		{[]string{"join", "0.0.0.0:6335"}, "want the peer address"},
		{[]string{"join", "b:1,b:1"}, "b:1 is named twice"},
		{[]string{"join", "127.0.0.1:6335"}, "this is the node itself"},
		{[]string{"bootstrap", "true", "join", "b:1"}, "give one of the two"},
		{[]string{"bootstrap", "true", "bootstrap-expect", "3", "join", "b:1"}, "give one of the two"},
		{[]string{"bootstrap-expect", "3"}, "give --join"},
		{[]string{"bootstrap-expect", "3", "join", "b:1"}, "names only 2 nodes"},
		{[]string{"bootstrap-expect", "2", "join", "b:1,c:1,d:1"}, "more than half of the 4 nodes"},
		{[]string{"bootstrap-expect", "three"}, "whole number"},
		{[]string{"log-format", "xml"}, "want text or json"},
	} {
		_, err := serve(c.flags...)
		if err == nil || !strings.Contains(err.Error(), c.says) || !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: got %v, want it to say %q", c.flags, err, c.says)
		}
	}
}

func TestAHostNameThatCannotBeANameIsNotUsed(t *testing.T) {
	v, err := config.Serve().Resolve(config.Sources{Flags: flags("data-dir", "/data")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.ServeOptions(""); err == nil || !strings.Contains(err.Error(), "--name: missing") {
		t.Errorf("got %v", err)
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", `name = "a"`, "bootstrap = true\nbootstrap_expect = 3", `join = ["a:1", "b:1"]`, "server {\n}", `name = <<E`, "name = \"${1}\"",
		"bootstrap_expect = 1e9999999999", "bootstrap_expect = -0x1", "join = [[[[[[", "join = [for x in [1] : x]", `name = "a" ? "b" : "c"`, "\xff\xfe", "name = null",
		`name = ""`, "# only a comment", "name = \"\\u0000\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := config.Serve().Resolve(config.Sources{FileName: "fuzz.hcl", File: raw})
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("class %s: %v", fault.ClassOf(err), err)
			}
			return
		}
		if _, err := v.ServeOptions("host"); err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatalf("class %s: %v", fault.ClassOf(err), err)
		}
	})
}
