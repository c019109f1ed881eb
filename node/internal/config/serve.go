package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// Serve is the settings of `ostraka serve`.
func Serve() Table {
	return Table{
		{Name: "data-dir", Placeholder: "DIR", Usage: "where the node keeps its data; made if it is missing"},
		{Name: "name", Placeholder: "NAME", Usage: "the node's name in the cluster, unique and lasting (default: the host's name)"},
		{Name: "http-addr", Placeholder: "HOST:PORT", Default: "127.0.0.1:6333", Usage: "address for health and metrics"},
		{Name: "grpc-addr", Placeholder: "HOST:PORT", Default: "127.0.0.1:6334", Usage: "address for clients"},
		{Name: "peer-addr", Placeholder: "HOST:PORT", Default: "127.0.0.1:6335", Usage: "address for the other nodes"},
		{Name: "advertise-grpc", Placeholder: "HOST:PORT", Usage: "where clients reach this node (default: --grpc-addr)"},
		{Name: "advertise-peer", Placeholder: "HOST:PORT", Usage: "where the other nodes reach this one (default: --peer-addr)"},
		{Name: "bootstrap", Kind: Bool, Default: "false", Usage: "form a new cluster with this node as its first"},
		{Name: "join", Kind: List, Placeholder: "HOST:PORT,...", Usage: "peer addresses of any members; tried until one answers"},
		{Name: "bootstrap-expect", Kind: Int, Placeholder: "N", Default: "0", Usage: "form the cluster once N of the nodes in --join have found each other; the same on all of them"},
		{Name: "zone", Placeholder: "ZONE", Usage: "the node's failure domain: copies of a shard go to different zones first"},
		{Name: "verify-every", Placeholder: "TIME", Default: "24h", Usage: "compare the replicas of each shard that this node leads so often, such as 24h; 0: never"},
		{Name: "max-requests", Kind: Int, Placeholder: "N", Default: "1024", Usage: "requests of clients that the node works on at once; others wait for their turn"},
		{Name: "max-waiting", Kind: Int, Placeholder: "N", Default: "4096", Usage: "requests that may wait for their turn; more are refused"},
		{Name: "request-memory", Kind: Int, Placeholder: "MIB", Default: "1024", Usage: "what requests that are being received and worked on may take of memory"},
		{Name: "memory-limit", Kind: Int, Placeholder: "MIB", Default: "0", Usage: "what the node may take of memory before it refuses more data; 0: 85 % of the machine's or container's"},
		{Name: "log-level", Placeholder: "LEVEL", Default: "info", Usage: "trace, debug, info, warn or error"},
		{Name: "log-format", Placeholder: "FORMAT", Default: "text", Usage: "text or json"},
	}
}

// ServeOptions are the settled and checked settings of `ostraka serve`.
type ServeOptions struct {
	DataDir, Name                               string
	HTTPAddr, GRPCAddr, PeerAddr                string // to listen on
	AdvertiseHTTP, AdvertiseGRPC, AdvertisePeer string // as others reach them
	Bootstrap                                   bool
	Join                                        []string
	BootstrapExpect                             int // 0: not asked for
	Zone                                        string
	LogLevel, LogFormat                         string
	VerifyEvery                                 time.Duration // 0: never
	MaxRequests, MaxWaiting                     int
	RequestMemory, MemoryLimit                  int64    // bytes; no MemoryLimit: 85 % of what there is
	Warnings                                    []string // what is allowed but looks wrong
}

// ServeOptions turns values of Serve's table into options. Hostname stands in for a name that was not given.
func (v Values) ServeOptions(hostname string) (ServeOptions, error) {
	o := ServeOptions{
		DataDir: v.String("data-dir"), Name: v.String("name"),
		HTTPAddr: v.String("http-addr"), GRPCAddr: v.String("grpc-addr"), PeerAddr: v.String("peer-addr"),
		AdvertiseGRPC: v.String("advertise-grpc"), AdvertisePeer: v.String("advertise-peer"),
		Bootstrap: v.Bool("bootstrap"), Join: v.List("join"), BootstrapExpect: v.Int("bootstrap-expect"),
		Zone: v.String("zone"), LogLevel: v.String("log-level"), LogFormat: v.String("log-format"),
	}
	if o.Name == "" {
		o.Name = hostname
	}
	if o.AdvertiseGRPC == "" {
		o.AdvertiseGRPC = o.GRPCAddr
	}
	if o.AdvertisePeer == "" {
		o.AdvertisePeer = o.PeerAddr
	}
	every, err := time.ParseDuration(v.String("verify-every"))
	if err != nil || every < 0 || every > 0 && every < time.Minute {
		err = v.wrong("verify-every", "want a time of a minute or more, such as 24h, or 0")
	}
	o.VerifyEvery = every
	errs := []error{v.checkIdentity(o), v.checkLog(o), err, v.limits(&o)}
	addresses := v.checkAddresses(o)
	errs = append(errs, addresses...)
	if asOne(addresses) == nil {
		o.AdvertiseHTTP = advertiseHTTP(o)
		errs = append(errs, v.checkFounding(o)...)
		o.Warnings = warnings(o)
	}
	return o, asOne(errs)
}

func (v Values) checkIdentity(o ServeOptions) error {
	var errs []error
	if strings.TrimSpace(o.DataDir) == "" {
		errs = append(errs, fault.New(fault.Invalid, "--data-dir: missing: name a folder for the node's data"))
	}
	if !isName(o.Name) {
		if !v.Given("name") {
			errs = append(errs, fault.New(fault.Invalid, "--name: missing, and the host's name %q cannot stand in for it: give one", o.Name))
		} else {
			errs = append(errs, v.wrong("name", nameRule))
		}
	}
	if o.Zone != "" && !isName(o.Zone) {
		errs = append(errs, v.wrong("zone", nameRule))
	}
	return asOne(errs)
}

const nameRule = "want 1 to 63 letters, digits, dots, dashes and underscores, the first a letter or digit"

func isName(s string) bool {
	if len(s) == 0 || len(s) > 63 {
		return false
	}
	for i, r := range []byte(s) {
		alnum := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !alnum && (i == 0 || !strings.ContainsRune(".-_", rune(r))) {
			return false
		}
	}
	return true
}

// The least that a node needs to work at all.
const (
	minRequestMemory = 128 // MiB: one request that arrives, and one that has, of 64 MiB each
	minMemoryLimit   = 256 // MiB
)

func (v Values) limits(o *ServeOptions) error {
	o.MaxRequests, o.MaxWaiting = v.Int("max-requests"), v.Int("max-waiting")
	o.RequestMemory, o.MemoryLimit = int64(v.Int("request-memory"))<<20, int64(v.Int("memory-limit"))<<20
	var errs []error
	for _, name := range []string{"max-requests", "max-waiting"} {
		if n := v.Int(name); n < 1 || n > 1<<20 {
			errs = append(errs, v.wrong(name, "want 1 to %d", 1<<20))
		}
	}
	if n := v.Int("request-memory"); n < minRequestMemory || n > 1<<20 {
		errs = append(errs, v.wrong("request-memory", "want %d to %d MiB: one request may have 64", minRequestMemory, 1<<20))
	}
	if n := v.Int("memory-limit"); n != 0 && (n < minMemoryLimit || n > 1<<30) {
		errs = append(errs, v.wrong("memory-limit", "want at least %d MiB, or 0", minMemoryLimit))
	}
	return asOne(errs)
}

func (v Values) checkLog(o ServeOptions) error {
	var errs []error
	if !slices.Contains([]string{"trace", "debug", "info", "warn", "error"}, o.LogLevel) {
		errs = append(errs, v.wrong("log-level", "want trace, debug, info, warn or error"))
	}
	if o.LogFormat != "text" && o.LogFormat != "json" {
		errs = append(errs, v.wrong("log-format", "want text or json"))
	}
	return asOne(errs)
}

func (v Values) checkAddresses(o ServeOptions) []error {
	var errs []error
	listen := map[string]string{}
	for _, name := range []string{"http-addr", "grpc-addr", "peer-addr"} {
		address := v.String(name)
		if !isAddress(address, true) {
			errs = append(errs, v.wrong(name, "want HOST:PORT to listen on, such as 127.0.0.1:6334, or 0.0.0.0:6334 for every interface"))
			continue
		}
		if other, ok := listen[address]; ok {
			errs = append(errs, v.wrong(name, "--%s has the same address; give each its own port", other))
		}
		listen[address] = name
	}
	for _, p := range []struct{ advertise, listen, address string }{
		{"advertise-grpc", "grpc-addr", o.AdvertiseGRPC}, {"advertise-peer", "peer-addr", o.AdvertisePeer},
	} {
		if err := v.checkAdvertised(p.advertise, p.listen, p.address); err != nil {
			errs = append(errs, err)
		}
	}
	for _, address := range o.Join {
		if !isAddress(address, false) || isUnspecified(address) {
			errs = append(errs, v.wrong("join", "%q: want the peer address (HOST:PORT) of a member, such as 10.0.0.1:6335", address))
		}
	}
	return errs
}

// checkAdvertised refuses an address that nobody else could use. One that was not given follows from the address to
// listen on, which was checked already.
func (v Values) checkAdvertised(advertise, listen, address string) error {
	switch {
	case v.Given(advertise) && (!isAddress(address, false) || isUnspecified(address)):
		return v.wrong(advertise, "want an address (HOST:PORT) under which others reach this node; 0.0.0.0 is none")
	case !v.Given(advertise) && isAddress(address, true) && isUnspecified(address):
		return v.wrong(listen, "this listens everywhere, but is no address for others: give --%s HOST:PORT as well", advertise)
	}
	return nil
}

// isAddress reports whether s is HOST:PORT; an empty host is for listening only.
func isAddress(s string, mayListen bool) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || (host == "" && !mayListen) || strings.ContainsAny(host, " \t\n/@,\"'") {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

func isUnspecified(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "" || net.ParseIP(host).IsUnspecified())
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// advertiseHTTP has no flag: it is the listening address, or its port on the host that clients use.
func advertiseHTTP(o ServeOptions) string {
	if !isUnspecified(o.HTTPAddr) {
		return o.HTTPAddr
	}
	host, _, _ := net.SplitHostPort(o.AdvertiseGRPC)
	_, port, _ := net.SplitHostPort(o.HTTPAddr)
	return net.JoinHostPort(host, port)
}

// checkFounding checks the three ways into a cluster against each other. None at all is fine: a node that has data
// needs none, and only the data directory knows.
func (v Values) checkFounding(o ServeOptions) []error {
	var errs []error
	for i, address := range o.Join {
		if slices.Contains(o.Join[:i], address) {
			errs = append(errs, v.wrong("join", "%s is named twice", address))
		}
	}
	switch {
	case o.Bootstrap && o.BootstrapExpect > 0:
		errs = append(errs, v.wrong("bootstrap-expect", "--bootstrap is for one first node alone: give one of the two"))
	case o.Bootstrap && len(o.Join) > 0:
		errs = append(errs, v.wrong("join", "--bootstrap forms a new cluster, --join enters one that exists: give one of the two, or --bootstrap-expect with --join"))
	case o.BootstrapExpect > 0:
		errs = append(errs, v.checkExpect(o))
	case len(o.Join) == 1 && o.Join[0] == o.AdvertisePeer:
		errs = append(errs, v.wrong("join", "this is the node itself: name another member, or give --bootstrap for the first node"))
	}
	return errs
}

// checkExpect asks for a majority of the nodes in the list, so that no two groups of them can each form a cluster.
func (v Values) checkExpect(o ServeOptions) error {
	all := len(o.Join)
	if !slices.Contains(o.Join, o.AdvertisePeer) {
		all++
	}
	switch {
	case len(o.Join) == 0:
		return v.wrong("bootstrap-expect", "give --join with the peer addresses of the nodes as well, the same list on each")
	case o.BootstrapExpect > all:
		return v.wrong("bootstrap-expect", "--join names only %d nodes, this one counted: lower the number or name them all", all)
	case 2*o.BootstrapExpect <= all:
		return v.wrong("bootstrap-expect", "must be more than half of the %d nodes, or two halves could form a cluster each", all)
	}
	return nil
}

func warnings(o ServeOptions) []string {
	var out []string
	if isLoopback(o.AdvertisePeer) && slices.ContainsFunc(o.Join, func(a string) bool { return !isLoopback(a) }) {
		out = append(out, "--advertise-peer "+o.AdvertisePeer+" is reachable from this host only, but --join names other hosts")
	}
	if o.BootstrapExpect == 2 {
		out = append(out, "a cluster of two nodes cannot change its metadata while either is down: three can lose one")
	}
	return out
}
