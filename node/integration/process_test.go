package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/server"
)

// envServe makes the test's own binary a node: what it holds is the node's options.
const envServe = "OSTRAKA_TEST_SERVE"

func TestMain(m *testing.M) {
	if text := os.Getenv(envServe); text != "" {
		if err := serve(text); err != nil {
			panic(fmt.Sprint("the node ended: ", err))
		}
		return
	}
	m.Run()
}

// nodeOptions are those of server.Options that a process is given.
type nodeOptions struct {
	Name, DataDir, HTTPAddr, GRPCAddr, PeerAddr string
	Join                                        []string
	BootstrapExpect                             int
}

func serve(text string) error {
	var o nodeOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	opts := server.Options{
		Name: o.Name, DataDir: o.DataDir, HTTPAddr: o.HTTPAddr, GRPCAddr: o.GRPCAddr, PeerAddr: o.PeerAddr, Join: o.Join,
		BootstrapExpect: o.BootstrapExpect, Version: "test", Logger: hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Info}),
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return server.Run(ctx, opts)
}

// process is a node in a process of its own.
type process struct {
	t    *testing.T
	opts nodeOptions
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
	err  error // once done is closed
}

// logBuffer is the end of what a node says.
type logBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// tail is the last lines.
func (l *logBuffer) tail(lines int) string {
	all := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// processes runs a cluster of nodes in processes, one per directory.
func processes(t *testing.T, dirs ...string) []*process {
	t.Helper()
	var all []*process
	var peers []string
	for i, dir := range dirs {
		p := &process{t: t, opts: nodeOptions{
			Name: fmt.Sprint("node-", i+1), DataDir: dir, HTTPAddr: freeAddress(t), GRPCAddr: freeAddress(t), PeerAddr: freeAddress(t),
			BootstrapExpect: len(dirs),
		}}
		all, peers = append(all, p), append(peers, p.opts.PeerAddr)
	}
	for _, p := range all {
		p.opts.Join = peers
		p.start()
		t.Cleanup(p.kill)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, p := range all {
				t.Logf("%s:\n%s", p.opts.Name, p.log.tail(40))
			}
		}
	})
	for _, p := range all {
		p.ready()
	}
	return all
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *process) start() {
	p.t.Helper()
	text, err := json.Marshal(p.opts)
	if err != nil {
		p.t.Fatal(err)
	}
	p.log = &logBuffer{}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), envServe+"="+string(text))
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		p.err = cmd.Wait()
		close(done)
	}(p.cmd, p.done)
}

// alive fails the test if the process has ended.
func (p *process) alive() {
	p.t.Helper()
	select {
	case <-p.done:
		p.t.Fatalf("%s has ended: %v", p.opts.Name, p.err)
	default:
	}
}

// ready waits until the node serves clients.
func (p *process) ready() {
	p.t.Helper()
	eventually(p.t, p.opts.Name+" is ready", func(context.Context) error {
		p.alive()
		c, err := net.DialTimeout("tcp", p.opts.GRPCAddr, time.Second)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// stop ends the node as SIGTERM does, and returns what it came to.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(30 * time.Second):
		return errors.New("it does not end on SIGTERM")
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}
