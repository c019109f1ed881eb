package integration_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/server"
)

// divided is a cluster whose nodes can be cut off from one another, while clients still reach them.
type divided struct {
	nodes   []*server.Server
	clients []*qdrant.Client
	mu      struct {
		sync.Mutex
		owner map[string]int // node by peer address
		cut   map[int]bool
		conns map[net.Conn][2]int
	}
}

// divide starts n nodes.
func divide(t *testing.T, n int) *divided {
	t.Helper()
	d := &divided{nodes: make([]*server.Server, n)}
	d.mu.owner, d.mu.cut, d.mu.conns = map[string]int{}, map[int]bool{}, map[net.Conn][2]int{}
	options := make([]server.Options, n)
	var peers []string
	for i := range options {
		o := server.Options{
			DataDir: filepath.Join(t.TempDir(), strconv.Itoa(i)), Name: "node-" + strconv.Itoa(i), BootstrapExpect: n,
			Dial: func(ctx context.Context, addr string) (net.Conn, error) { return d.dial(ctx, i, addr) },
		}
		for _, l := range []*net.Listener{&o.Listeners.HTTP, &o.Listeners.GRPC, &o.Listeners.Peer} {
			got, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			*l = got
		}
		peers = append(peers, o.Listeners.Peer.Addr().String())
		d.mu.owner[peers[i]] = i
		options[i] = o
	}
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i, o := range options {
		o.Join = peers
		wg.Go(func() { d.nodes[i], errs[i] = server.Open(t.Context(), o) })
		d.clients = append(d.clients, officialAt(t, o.Listeners.GRPC.Addr().String()))
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, s := range d.nodes {
			if s != nil {
				errs = append(errs, s.Close())
			}
		}
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return d
}

// linked is a connection that a cut ends.
type linked struct {
	net.Conn
	d *divided
}

func (l *linked) Close() error {
	l.d.mu.Lock()
	delete(l.d.mu.conns, l)
	l.d.mu.Unlock()
	return l.Conn.Close()
}

func (d *divided) dial(ctx context.Context, from int, addr string) (net.Conn, error) {
	d.mu.Lock()
	to, ok := d.mu.owner[addr]
	refused := !ok || d.mu.cut[from] != d.mu.cut[to]
	d.mu.Unlock()
	if refused {
		return nil, errors.New("no route")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	l := &linked{conn, d}
	d.mu.Lock()
	d.mu.conns[l] = [2]int{from, to}
	d.mu.Unlock()
	return l, nil
}

// cut separates node i from the others, or lets it back.
func (d *divided) cut(i int, off bool) {
	d.mu.Lock()
	d.mu.cut[i] = off
	var broken []net.Conn
	for c, ends := range d.mu.conns {
		if d.mu.cut[ends[0]] != d.mu.cut[ends[1]] {
			broken = append(broken, c)
		}
	}
	d.mu.Unlock()
	for _, c := range broken {
		_ = c.Close()
	}
}

func TestANodeThatIsCutOffDeniesNothingAndServesNoStaleStrongRead(t *testing.T) {
	d := divide(t, 3)
	here, apart := d.clients[0], d.clients[2]
	create(t, here, "docs", 3, 3, 2)
	eventually(t, "the first write is taken", func(context.Context) error { return writeNumber(t, here, 1, true) })
	eventually(t, "the node shows it", func(ctx context.Context) error { _, err := readNumber(ctx, apart); return err })
	d.cut(2, true)
	eventually(t, "the others take writes", func(context.Context) error { return writeNumber(t, here, 2, true) })
	create(t, here, "late", 1, 2, 1)
	var wg sync.WaitGroup
	for what, ask := range map[string]func(context.Context) error{
		"exists":      func(ctx context.Context) error { _, err := apart.CollectionExists(ctx, "late"); return err },
		"info":        func(ctx context.Context) error { _, err := apart.GetCollectionInfo(ctx, "late"); return err },
		"aliases":     func(ctx context.Context) error { _, err := apart.ListAliases(ctx); return err },
		"count":       func(ctx context.Context) error { _, err := count(ctx, apart, "late"); return err },
		"strong read": func(ctx context.Context) error { _, err := readNumber(strong(ctx), apart); return err },
	} {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			err := ask(ctx)
			if code := status.Code(unwrapped(err)); code != codes.Unavailable && code != codes.DeadlineExceeded {
				t.Errorf("%s: the node that is cut off says %v", what, err)
			}
		})
	}
	wg.Wait()
	if info, err := apart.GetCollectionInfo(t.Context(), "docs"); err != nil || info.GetConfig() == nil {
		t.Errorf("what it knows, it tells: %v", err)
	}
	if n, err := readNumber(t.Context(), apart); err != nil || n != 1 {
		t.Errorf("a plain read goes on, from what it has: %d, %v", n, err)
	}

	d.cut(2, false)
	eventually(t, "it knows what was made without it", func(ctx context.Context) error {
		exists, err := apart.CollectionExists(ctx, "late")
		if err == nil && !exists {
			t.Error("a collection that exists is denied")
		}
		return err
	})
	eventually(t, "linearizable reads go on", func(ctx context.Context) error {
		n, err := readNumber(strong(ctx), apart)
		if err == nil && n != 2 {
			t.Errorf("2 was acknowledged, %d is read", n)
		}
		return err
	})
	if exists, err := apart.CollectionExists(t.Context(), "never"); err != nil || exists {
		t.Errorf("of what does not exist: %t, %v", exists, err)
	}
}

// unwrapped is the status in an error of the official client.
func unwrapped(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
