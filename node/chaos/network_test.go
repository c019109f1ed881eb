//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// network is a bridge in a namespace of its own, to which the namespace of each node is tied by a pair of links.
// Nothing of it is in the namespace of the machine. Who does not hear whom is decided by each node's own packet
// filter, on what comes in; the clients, which stand at the bridge, reach every node.
type network struct {
	prefix string
	filter filter
	netem  bool // the kernel can delay packets; else slow links only lose some
	tbf    bool // it can shape what goes out; else slow links drop what is too much
	mu     struct {
		sync.Mutex
		nodes []*namespace
		deaf  map[[2]int]int       // how many faults let the first not hear the second
		slow  map[kind]map[int]int // how many faults of a kind slow a node down
	}
}

// filter is the program that sets packet filters.
type filter interface {
	// set makes a namespace drop what comes from the addresses, lose some of everything, and drop what is too much at a time.
	set(ctx context.Context, space string, from []string, lossy, narrow bool) error
}

// lossPercent is how much is lost in each direction where links are slow and the kernel cannot delay.
const lossPercent = 10

// kilobytes is how much goes through a throttled link per second, each way: less than the load.
const kilobytes = 100

// newNetwork makes the bridge. It returns nil if that cannot be done here, with the reason.
func newNetwork(ctx context.Context, t *testing.T) (*network, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("not root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, errors.New("ip is missing (Debian: apt-get install iproute2)")
	}
	err := sweep(ctx)
	if err != nil {
		t.Logf("what earlier runs left could not be removed: %v", err)
	}
	n := &network{prefix: fmt.Sprintf("%s%d-", ours, os.Getpid())}
	n.mu.deaf, n.mu.slow = map[[2]int]int{}, map[kind]map[int]int{slowing: {}, throttling: {}}
	t.Cleanup(func() { n.remove(t) })
	hub := n.prefix + "hub"
	for _, args := range []string{
		"netns add " + hub, "-n " + hub + " link set lo up", "-n " + hub + " link add br0 type bridge",
		"-n " + hub + " addr add 10.77.0.1/24 dev br0", "-n " + hub + " link set br0 up",
	} {
		if err := run(ctx, "", "ip", strings.Fields(args)...); err != nil {
			return nil, err
		}
	}
	n.filter = findFilter(ctx, hub)
	if n.netem, err = knows(ctx, hub, slowLink); err != nil {
		return nil, err
	}
	n.tbf, err = knows(ctx, hub, narrowLink)
	return n, err
}

// What tc is told to make a link slow, or narrow.
var (
	slowLink   = "netem delay 40ms 30ms loss 1%"
	narrowLink = fmt.Sprintf("tbf rate %dkbit burst 16kb latency 300ms", 8*kilobytes)
)

// knows reports whether the kernel has a discipline.
func knows(ctx context.Context, space, discipline string) (bool, error) {
	if run(ctx, "", "tc", strings.Fields("-n "+space+" qdisc add dev lo root "+discipline)...) != nil {
		return false, nil
	}
	return true, run(ctx, "", "tc", strings.Fields("-n "+space+" qdisc del dev lo root")...)
}

// findFilter returns the first program that works here, or nil.
func findFilter(ctx context.Context, space string) filter {
	for _, f := range []filter{nft{}, iptables{}} {
		if f.set(ctx, space, []string{address(0)}, true, true) == nil && f.set(ctx, space, nil, false, false) == nil {
			return f
		}
	}
	return nil
}

// address is the one of the i-th node.
func address(i int) string { return fmt.Sprintf("10.77.0.%d", 10+i) }

// add ties one more node to the bridge.
func (n *network) add(ctx context.Context) (*namespace, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i, hub := len(n.mu.nodes), n.prefix+"hub"
	space := &namespace{fmt.Sprintf("%s%d", n.prefix, i+1)}
	link := fmt.Sprintf("veth%d", i+1)
	for _, args := range []string{
		"netns add " + space.name, "-n " + space.name + " link set lo up",
		"-n " + hub + " link add " + link + " type veth peer name eth0 netns " + space.name,
		"-n " + hub + " link set " + link + " master br0 up",
		"-n " + space.name + " addr add " + address(i) + "/24 dev eth0", "-n " + space.name + " link set eth0 up",
	} {
		if err := run(ctx, "", "ip", strings.Fields(args)...); err != nil {
			return nil, err
		}
	}
	n.mu.nodes = append(n.mu.nodes, space)
	return space, nil
}

// remove takes the namespaces away and, with them, the links, addresses and filters.
func (n *network) remove(t *testing.T) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, space := range append(n.mu.nodes, &namespace{n.prefix + "hub"}) {
		if err := run(context.Background(), "", "ip", "netns", "del", space.name); err != nil {
			t.Logf("remove %s: %v", space.name, err)
		}
	}
}

// cut keeps what from sends from to's ears, in one direction; mend ends it. Cuts of several faults add up.
func (n *network) cut(ctx context.Context, pairs ...[2]int) error  { return n.change(ctx, 1, pairs) }
func (n *network) mend(ctx context.Context, pairs ...[2]int) error { return n.change(ctx, -1, pairs) }

func (n *network) change(ctx context.Context, by int, pairs [][2]int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	touched := map[int]bool{}
	for _, p := range pairs {
		n.mu.deaf[p] += by
		touched[p[0]] = true
	}
	var errs []error
	for i := range touched {
		errs = append(errs, n.setLocked(ctx, i))
	}
	return errors.Join(errs...)
}

// slower makes the links of nodes slow or narrow (by 1), in both directions where the kernel can, else inwards, or ends that (by -1).
func (n *network) slower(ctx context.Context, victims []int, of kind, by int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, i := range victims {
		n.mu.slow[of][i] += by
		if of == slowing && !n.netem || of == throttling && !n.tbf {
			errs = append(errs, n.setLocked(ctx, i))
			continue
		}
		errs = append(errs, n.shapeLocked(ctx, i))
	}
	return errors.Join(errs...)
}

// shapeLocked makes the disciplines of the i-th node's link what is wanted of it. Of two, the narrow one is had.
func (n *network) shapeLocked(ctx context.Context, i int) error {
	how := ""
	switch {
	case n.tbf && n.mu.slow[throttling][i] > 0:
		how = narrowLink
	case n.netem && n.mu.slow[slowing][i] > 0:
		how = slowLink
	}
	var errs []error
	for _, at := range [][2]string{{n.mu.nodes[i].name, "eth0"}, {n.prefix + "hub", fmt.Sprintf("veth%d", i+1)}} {
		// Only one that is made anew takes another kind.
		err := run(ctx, "", "tc", "-n", at[0], "qdisc", "del", "dev", at[1], "root")
		if how != "" {
			err = run(ctx, "", "tc", strings.Fields("-n "+at[0]+" qdisc replace dev "+at[1]+" root "+how)...)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// setLocked makes the filter of the i-th node what is wanted of it.
func (n *network) setLocked(ctx context.Context, i int) error {
	var from []string
	for pair, faults := range n.mu.deaf {
		if pair[0] == i && faults > 0 {
			from = append(from, address(pair[1]))
		}
	}
	return n.filter.set(ctx, n.mu.nodes[i].name, from, n.mu.slow[slowing][i] > 0 && !n.netem, n.mu.slow[throttling][i] > 0 && !n.tbf)
}

// nft sets all rules in one step.
type nft struct{}

func (nft) set(ctx context.Context, space string, from []string, lossy, narrow bool) error {
	var rules strings.Builder
	rules.WriteString("add table ip chaos\nadd chain ip chaos in { type filter hook input priority 0; }\nflush chain ip chaos in\n")
	for _, addr := range from {
		fmt.Fprintf(&rules, "add rule ip chaos in ip saddr %s drop\n", addr)
	}
	if lossy {
		fmt.Fprintf(&rules, "add rule ip chaos in numgen random mod 100 < %d drop\n", lossPercent)
	}
	if narrow {
		fmt.Fprintf(&rules, "add rule ip chaos in limit rate over %d kbytes/second burst 32 kbytes drop\n", kilobytes)
	}
	return run(ctx, rules.String(), "ip", "netns", "exec", space, "nft", "-f", "-")
}

// iptables sets the rules one by one, as one step is more than a test needs.
type iptables struct{}

func (iptables) set(ctx context.Context, space string, from []string, lossy, narrow bool) error {
	rules := []string{"-F INPUT"}
	for _, addr := range from {
		rules = append(rules, "-A INPUT -s "+addr+" -j DROP")
	}
	if lossy {
		rules = append(rules, fmt.Sprintf("-A INPUT -m statistic --mode random --probability %.2f -j DROP", lossPercent/100.0))
	}
	if narrow {
		rules = append(rules, fmt.Sprintf("-A INPUT -m hashlimit --hashlimit-name chaos --hashlimit-above %dkb/s -j DROP", kilobytes))
	}
	for _, r := range rules {
		args := append([]string{"netns", "exec", space, "iptables", "-w"}, strings.Fields(r)...)
		if err := run(ctx, "", "ip", args...); err != nil {
			return err
		}
	}
	return nil
}
