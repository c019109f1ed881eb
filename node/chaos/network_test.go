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
	mu     struct {
		sync.Mutex
		nodes []*namespace
		deaf  map[[2]int]int // how many faults let the first not hear the second
		slow  map[int]int    // how many faults slow a node down
	}
}

// filter is the program that sets packet filters.
type filter interface {
	// set makes a namespace drop what comes from the addresses, and lose some of everything.
	set(ctx context.Context, space string, from []string, lossy bool) error
}

// lossPercent is how much is lost in each direction where links are slow and the kernel cannot delay.
const lossPercent = 10

// newNetwork makes the bridge. It returns nil if that cannot be done here, with the reason.
func newNetwork(ctx context.Context, t *testing.T) (*network, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("not root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, errors.New("ip is missing (Debian: apt-get install iproute2)")
	}
	if err := sweep(ctx); err != nil {
		t.Logf("what earlier runs left could not be removed: %v", err)
	}
	n := &network{prefix: fmt.Sprintf("%s%d-", ours, os.Getpid())}
	n.mu.deaf, n.mu.slow = map[[2]int]int{}, map[int]int{}
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
	n.netem = run(ctx, "", "tc", strings.Fields("-n "+hub+" qdisc add dev lo root netem delay 1ms")...) == nil
	if n.netem {
		return n, run(ctx, "", "tc", strings.Fields("-n "+hub+" qdisc del dev lo root")...)
	}
	return n, nil
}

// findFilter returns the first program that works here, or nil.
func findFilter(ctx context.Context, space string) filter {
	for _, f := range []filter{nft{}, iptables{}} {
		if f.set(ctx, space, []string{address(0)}, true) == nil && f.set(ctx, space, nil, false) == nil {
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

// slow makes a node's link slow, in both directions where the kernel can delay, else inwards.
func (n *network) slow(ctx context.Context, i int) error   { return n.slower(ctx, i, 1) }
func (n *network) unslow(ctx context.Context, i int) error { return n.slower(ctx, i, -1) }

func (n *network) slower(ctx context.Context, i, by int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.slow[i] += by
	if !n.netem {
		return n.setLocked(ctx, i)
	}
	for _, at := range [][2]string{{n.mu.nodes[i].name, "eth0"}, {n.prefix + "hub", fmt.Sprintf("veth%d", i+1)}} {
		args := "-n " + at[0] + " qdisc replace dev " + at[1] + " root netem delay 40ms 30ms loss 1%"
		if n.mu.slow[i] == 0 {
			args = "-n " + at[0] + " qdisc del dev " + at[1] + " root"
		}
		if err := run(ctx, "", "tc", strings.Fields(args)...); err != nil {
			return err
		}
	}
	return nil
}

// setLocked makes the filter of the i-th node what is wanted of it.
func (n *network) setLocked(ctx context.Context, i int) error {
	var from []string
	for pair, faults := range n.mu.deaf {
		if pair[0] == i && faults > 0 {
			from = append(from, address(pair[1]))
		}
	}
	return n.filter.set(ctx, n.mu.nodes[i].name, from, n.mu.slow[i] > 0 && !n.netem)
}

// nft sets all rules in one step.
type nft struct{}

func (nft) set(ctx context.Context, space string, from []string, lossy bool) error {
	var rules strings.Builder
	rules.WriteString("add table ip chaos\nadd chain ip chaos in { type filter hook input priority 0; }\nflush chain ip chaos in\n")
	for _, addr := range from {
		fmt.Fprintf(&rules, "add rule ip chaos in ip saddr %s drop\n", addr)
	}
	if lossy {
		fmt.Fprintf(&rules, "add rule ip chaos in numgen random mod 100 < %d drop\n", lossPercent)
	}
	return run(ctx, rules.String(), "ip", "netns", "exec", space, "nft", "-f", "-")
}

// iptables sets the rules one by one, as one step is more than a test needs.
type iptables struct{}

func (iptables) set(ctx context.Context, space string, from []string, lossy bool) error {
	rules := []string{"-F INPUT"}
	for _, addr := range from {
		rules = append(rules, "-A INPUT -s "+addr+" -j DROP")
	}
	if lossy {
		rules = append(rules, fmt.Sprintf("-A INPUT -m statistic --mode random --probability %.2f -j DROP", lossPercent/100.0))
	}
	for _, r := range rules {
		args := append([]string{"netns", "exec", space, "iptables", "-w"}, strings.Fields(r)...)
		if err := run(ctx, "", "ip", args...); err != nil {
			return err
		}
	}
	return nil
}
