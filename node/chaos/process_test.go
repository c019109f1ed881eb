//go:build chaos

package chaos_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

// endsWithin bounds how long a node may take to end on SIGTERM: far more than it needs, on a machine that is busy.
const endsWithin = 90 * time.Second

// node is one ostraka process with its data directory and its addresses, which it keeps over restarts. One goroutine
// at a time starts and ends it; the rest may be called from anywhere.
type node struct {
	name, dir, logFile string
	http, grpc, peer   string
	flags              []string // how it finds the others
	space              *namespace
	conn               *grpc.ClientConn
	web                *http.Client
	process            *process
	clock              atomic.Int64             // how far its wall clock is off, in nanoseconds
	starts             atomic.Int64             // so that a session can tell that it spans a restart
	died               func(n *node, err error) // called when the process ends without having been told to
}

// process is one life of a node.
type process struct {
	cmd    *exec.Cmd
	wanted atomic.Bool // somebody wants it to end
	done   chan struct{}
	err    error // valid once done is closed
}

var binary = flag.String("chaos.bin", "", "the ostraka to test, such as a mutant; without it, it is built from this tree")

func build(t *testing.T) string {
	t.Helper()
	if *binary != "" {
		return *binary
	}
	bin := filepath.Join(t.TempDir(), "ostraka")
	cmd := exec.Command("go", "build", "-o", bin, "../cmd/ostraka")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// freePorts reserves n loopback addresses by listening on them all before closing any.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	addrs := make([]string, n)
	for i := range addrs {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs[i] = l.Addr().String()
	}
	return addrs
}

// newNodes makes nodes on loopback, which are ended when the test is.
func newNodes(t *testing.T, size int) []*node {
	t.Helper()
	ports, dir := freePorts(t, 3*size), t.TempDir()
	nodes := make([]*node, size)
	for i := range nodes {
		nodes[i] = newNode(t, fmt.Sprintf("node-%d", i+1), dir, dir, ports[3*i:3*i+3], nil)
	}
	formTogether(nodes)
	return nodes
}

// newNode makes a node whose data and log are below dir and logs, and whose addresses are for HTTP, gRPC and peers.
func newNode(t *testing.T, name, dir, logs string, addrs []string, space *namespace) *node {
	t.Helper()
	n := &node{
		name: name, dir: filepath.Join(dir, name), logFile: filepath.Join(logs, name+".log"),
		http: addrs[0], grpc: addrs[1], peer: addrs[2], space: space,
	}
	dialer := func(ctx context.Context, addr string) (net.Conn, error) { return space.dial(ctx, addr) }
	conn, err := grpc.NewClient("passthrough:///"+n.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(dialer), grpc.WithConnectParams(grpc.ConnectParams{
			MinConnectTimeout: time.Second, Backoff: briefBackoff,
		}))
	if err != nil {
		t.Fatal(err)
	}
	n.conn = conn
	n.web = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, addr string) (net.Conn, error) { return space.dial(ctx, addr) },
	}}
	t.Cleanup(func() {
		if err := n.kill(); err != nil {
			t.Errorf("kill %s: %v", n.name, err)
		}
		_ = n.conn.Close()
	})
	return n
}

// formTogether lets nodes that start alike form one cluster.
func formTogether(nodes []*node) {
	peers := make([]string, len(nodes))
	for i, n := range nodes {
		peers[i] = n.peer
	}
	for _, n := range nodes {
		n.flags = []string{"--bootstrap-expect", fmt.Sprint(len(nodes)), "--join", strings.Join(peers, ",")}
	}
}

// start lets the node run in its namespace. If this test dies, so does the node.
func (n *node) start(bin string) error {
	log, err := os.OpenFile(n.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	cmd := exec.Command(bin, append([]string{
		"serve", "--data-dir", n.dir, "--name", n.name, "--http-addr", n.http, "--grpc-addr", n.grpc, "--peer-addr", n.peer,
	}, n.flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), clockFile+"="+n.clockFile())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.space.enter(cmd.Start); err != nil {
		return err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	n.process = p
	n.starts.Add(1)
	go func() {
		p.err = cmd.Wait()
		close(p.done)
		if !p.wanted.Load() && n.died != nil {
			n.died(n, p.err)
		}
	}()
	return nil
}

// kill ends the process at once, by its id, and waits until it is gone. It does nothing if none runs.
func (n *node) kill() error {
	p := n.process
	if p == nil {
		return nil
	}
	p.wanted.Store(true)
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// stop ends the node as an operator would. It has to end with 0.
func (n *node) stop() error {
	p := n.process
	p.wanted.Store(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(endsWithin)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = n.kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM", n.name, endsWithin)
	}
	if p.err != nil {
		return fmt.Errorf("%s did not end cleanly on SIGTERM: %w", n.name, p.err)
	}
	return nil
}

// signal stops the process where it stands, or lets it go on.
func (n *node) signal(s syscall.Signal) error { return n.process.cmd.Process.Signal(s) }

// tail is the end of the node's log, or how it came to its end, if it says so.
func (n *node) tail() string {
	raw, _ := os.ReadFile(n.logFile)
	lines := strings.Split(string(raw), "\n")
	for i, l := range lines {
		for _, last := range []string{"panic: ", "fatal error: ", "unexpected fault address", "SIGBUS: ", "SIGSEGV: "} {
			if strings.HasPrefix(l, last) {
				return strings.Join(lines[max(0, i-10):min(len(lines), i+40)], "\n")
			}
		}
	}
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

// dial returns the connection that everybody shares.
func (n *node) dial() *grpc.ClientConn { return n.conn }

// reachable reports whether a request could be sent now; if not, a connection is attempted in the background. What
// is not sent has no unknown outcome.
func (n *node) reachable() bool {
	if n.conn.GetState() == connectivity.Ready {
		return true
	}
	n.conn.Connect()
	return false
}

// ready returns nil once the node says that it can serve.
func (n *node) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := n.web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz of %s: %s", n.name, resp.Status)
	}
	return nil
}

// eventually tries until f succeeds or ctx ends, and then fails the test with f's last error.
func eventually(ctx context.Context, t *testing.T, what string, f func() error) {
	t.Helper()
	if err := until(ctx, f); err != nil {
		t.Fatalf("waited in vain until %s: %v", what, err)
	}
}

// until tries until f succeeds, or ctx ends: then it returns f's last error.
func until(ctx context.Context, f func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// must fails the test if a step of its own setting goes wrong.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
