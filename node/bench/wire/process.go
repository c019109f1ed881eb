package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// process is a server's process. It ends with Close.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
	dir  string
	done chan struct{} // closed when it has ended
	how  error         // it did; to be read after that
}

// start runs a program whose output goes to a file in dir, which is removed at the end.
func start(name, dir string, env []string, program string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "start %s", name)
	}
	p := &process{name: name, cmd: exec.Command(program, args...), log: log, dir: dir, done: make(chan struct{})} //nolint:noctx // it ends with Close
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir, p.cmd.Env = log, log, dir, append(os.Environ(), env...)
	if err := p.cmd.Start(); err != nil {
		return nil, fault.Wrap(fault.Unavailable, errors.Join(err, log.Close()), "start %s", name)
	}
	go func() {
		p.how = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Name is the server's.
func (p *process) Name() string { return p.name }

// Pid is the process.
func (p *process) Pid() int { return p.cmd.Process.Pid }

func (p *process) stop() error { return errors.Join(p.end(), os.RemoveAll(p.dir)) }

// end has the process end, and leaves its files.
func (p *process) end() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	return p.log.Close()
}

// until asks again and again, until there is no error or the context ends. It tells the last lines of the log then.
func (p *process) until(ctx context.Context, what string, ask func(context.Context) error) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-p.done:
			return fault.New(fault.Unavailable, "%s ended: %v\n%s", p.name, p.how, p.tail())
		case <-ctx.Done():
			return fault.New(fault.Unavailable, "%s: in vain until %s: %v\n%s", p.name, what, err, p.tail())
		}
	}
}

func (p *process) tail() string {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-5):], []byte("\n")))
}

// freePorts returns TCP ports of loopback that are free now.
func freePorts(n int) (ports []int, err error) {
	var open []io.Closer
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "find a port")
		}
		open = append(open, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	for _, l := range open {
		err = errors.Join(err, l.Close())
	}
	return ports, err
}

// Usage is what a process has taken of the machine.
type Usage struct {
	CPU                 time.Duration
	Resident, Anonymous int64
}

// UsageOf reads what the system says of a process.
func UsageOf(pid int) (u Usage, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, fault.Wrap(fault.Unavailable, err, "read usage")
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return u, fault.New(fault.Unavailable, "read usage: %q", stat)
	}
	const ticks = 100 // per second, on every Linux
	for _, f := range fields[11:13] {
		n, _ := strconv.ParseInt(f, 10, 64)
		u.CPU += time.Duration(n) * time.Second / ticks
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, fault.Wrap(fault.Unavailable, err, "read usage")
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			u.Resident = kib << 10
		case "RssAnon":
			u.Anonymous = kib << 10
		}
	}
	return u, nil
}
