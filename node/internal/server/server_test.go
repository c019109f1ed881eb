package server_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
	"github.com/ostraka/terraform-provider-ostraka/node/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are those of a first node on free ports.
func options(t *testing.T, dir string) server.Options {
	t.Helper()
	var l server.Listeners
	for _, door := range []*net.Listener{&l.HTTP, &l.GRPC, &l.Peer} {
		got, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*door = got
	}
	return server.Options{DataDir: dir, Name: "node-1", Listeners: l, Bootstrap: true}
}

func open(t *testing.T, opts server.Options) (*server.Server, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return server.Open(ctx, opts)
}

func mustOpen(t *testing.T, opts server.Options) *server.Server {
	t.Helper()
	s, err := open(t, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestANodeComesBackWithoutItsFirstFlags(t *testing.T) {
	dir := t.TempDir()
	if err := mustOpen(t, options(t, dir)).Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := options(t, dir)
	again.Bootstrap = false
	if err := mustOpen(t, again).Close(); err != nil {
		t.Error(err)
	}
}

func TestANewNodeMustBeToldHowToGetIntoACluster(t *testing.T) {
	opts := options(t, t.TempDir())
	opts.Bootstrap = false
	s, err := open(t, opts)
	if err == nil {
		_ = s.Close()
		t.Fatal("a node without a cluster started")
	}
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "--bootstrap") || !strings.Contains(err.Error(), "--join") {
		t.Errorf("the error does not say what to do: %v", err)
	}
}

func TestADirectoryIsOneNodesAtATime(t *testing.T) {
	dir := t.TempDir()
	first := mustOpen(t, options(t, dir))
	second, err := open(t, options(t, dir))
	if err == nil {
		_ = second.Close()
		t.Error("two nodes opened one directory")
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
}

// A node that forgot who it is must not come back as a new peer with old data.
func TestDataWithoutAnIdentityIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := mustOpen(t, options(t, dir)).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "identity")); err != nil {
		t.Fatal(err)
	}
	s, err := open(t, options(t, dir))
	if err == nil {
		_ = s.Close()
	}
	if !fault.Is(err, fault.Corrupt) {
		t.Errorf("got %v, want Corrupt", err)
	}
}

func TestADamagedIdentityIsFound(t *testing.T) {
	dir := t.TempDir()
	if err := mustOpen(t, options(t, dir)).Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "identity")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := open(t, options(t, dir))
	if err == nil {
		_ = s.Close()
	}
	if !fault.Is(err, fault.Corrupt) {
		t.Errorf("got %v, want Corrupt", err)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	opts := options(t, t.TempDir())
	_ = opts.Listeners.GRPC.Close()
	opts.Listeners.GRPC, opts.GRPCAddr = nil, taken.Addr().String()
	s, err := open(t, opts)
	if err == nil {
		_ = s.Close()
		t.Fatal("a node started on a port that is taken")
	}
	if !strings.Contains(err.Error(), "--grpc-addr") || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("the error names neither flag nor address: %v", err)
	}
}

// A load balancer's look at a port, or a client that was cut off before it said a word, holds up no shutdown: gRPC would wait for two
// minutes.
func TestConnectionsThatSayNothingDoNotHoldUpAShutdown(t *testing.T) {
	for name, end := range map[string]func(*server.Server) error{
		"shutdown": func(s *server.Server) error { return s.Shutdown(t.Context()) },
		"close":    func(s *server.Server) error { return s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			opts := options(t, t.TempDir())
			s := mustOpen(t, opts)
			for addr, word := range map[string]string{
				opts.Listeners.GRPC.Addr().String(): "", opts.Listeners.Peer.Addr().String(): "PRI", opts.Listeners.HTTP.Addr().String(): "",
			} {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = conn.Close() })
				if _, err := conn.Write([]byte(word)); err != nil {
					t.Fatal(err)
				}
			}
			ended := make(chan error, 1)
			go func() { ended <- end(s) }()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(90 * time.Second):
				t.Error("it goes on")
				<-ended
			}
		})
	}
}
