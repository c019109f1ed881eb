//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// node is one ostraka process with its data directory and its ports, which it keeps over restarts.
type node struct {
	t                *testing.T
	name, dir        string
	http, grpc, peer string
	join             []string
	size             int
	cmd              *exec.Cmd
	conn             *grpc.ClientConn
	log              *os.File
}

func build(t *testing.T) string {
	t.Helper()
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

func newNodes(t *testing.T, size int) []*node {
	t.Helper()
	ports := freePorts(t, 3*size)
	var peers []string
	for i := range size {
		peers = append(peers, ports[3*i+2])
	}
	nodes := make([]*node, size)
	for i := range nodes {
		nodes[i] = &node{
			t: t, name: fmt.Sprintf("node-%d", i+1), dir: filepath.Join(t.TempDir(), "data"),
			http: ports[3*i], grpc: ports[3*i+1], peer: ports[3*i+2], join: peers, size: size,
		}
	}
	return nodes
}

func (n *node) start(bin string) {
	n.t.Helper()
	args := []string{
		"serve", "--data-dir", n.dir, "--name", n.name,
		"--http-addr", n.http, "--grpc-addr", n.grpc, "--peer-addr", n.peer,
		"--bootstrap-expect", fmt.Sprint(n.size), "--join", strings.Join(n.join, ","),
	}
	if n.log == nil {
		var err error
		if n.log, err = os.Create(filepath.Join(n.t.TempDir(), n.name+".log")); err != nil {
			n.t.Fatal(err)
		}
	}
	n.cmd = exec.Command(bin, args...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	// If this test dies, so do its nodes.
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) kill() {
	n.t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		n.t.Fatal(err)
	}
	_ = n.cmd.Wait()
}

// stop ends the node as an operator would and checks that it says so with 0.
func (n *node) stop() {
	n.t.Helper()
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if err := n.cmd.Wait(); err != nil {
		n.t.Errorf("%s did not end cleanly on SIGTERM: %v\n%s", n.name, err, n.tail())
	}
}

func (n *node) tail() string {
	raw, _ := os.ReadFile(n.log.Name())
	lines := strings.Split(string(raw), "\n")
	return strings.Join(lines[max(0, len(lines)-60):], "\n")
}

func (n *node) dial() *grpc.ClientConn {
	n.t.Helper()
	if n.conn == nil {
		conn, err := grpc.NewClient(n.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
		if err != nil {
			n.t.Fatal(err)
		}
		n.conn = conn
	}
	return n.conn
}

// ready waits until the node says that it can serve.
func (n *node) ready(ctx context.Context) {
	n.t.Helper()
	eventually(ctx, n.t, n.name+" is ready", func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.http+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz: %s", resp.Status)
		}
		return nil
	})
}

// eventually tries until f succeeds or ctx ends, and then fails the test with f's last error.
func eventually(ctx context.Context, t *testing.T, what string, f func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s: %v", what, err)
		case <-tick.C:
		}
	}
}
