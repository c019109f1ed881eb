package inproc

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ostraka/terraform-provider-ostraka/node/internal/fault"
)

// process is an engine in a process of its own, which reads commands line by line (see ../peer).
type process struct {
	name    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	results string // the file it writes row numbers to
}

func startProcess(ctx context.Context, name, results, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.CommandContext(ctx, program, args...), results: results}
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "start %s", name)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "start %s", name)
	}
	p.in, p.out = in, bufio.NewReader(out)
	return p, fault.Wrap(fault.Unavailable, p.cmd.Start(), "start %s", name)
}

// Name is the peer's.
func (p *process) Name() string { return p.name }

func (p *process) ask(format string, args ...any) (fields []float64, err error) {
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ask %s", p.name)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "ask %s", p.name)
	}
	words := strings.Fields(line)
	if len(words) < 3 || words[0] == "error" {
		return nil, fault.New(fault.Unavailable, "%s says %q", p.name, strings.TrimSpace(line))
	}
	for _, w := range words[1:] {
		var x float64
		if _, err := fmt.Sscan(w, &x); err != nil {
			return nil, fault.New(fault.Unavailable, "%s says %q", p.name, strings.TrimSpace(line))
		}
		fields = append(fields, x)
	}
	return fields, nil
}

func seconds(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// Build has the peer build.
func (p *process) Build(_ context.Context, threads int) (Cost, int64, error) {
	f, err := p.ask("build %d", threads)
	if err != nil {
		return Cost{}, 0, err
	}
	held := int64(0)
	if len(f) > 2 {
		held = int64(f[2])
	}
	return Cost{Wall: seconds(f[0]), CPU: seconds(f[1])}, held, nil
}

// Search has the peer search.
func (p *process) Search(_ context.Context, ef, k int, out []uint32) (Cost, error) {
	f, err := p.ask("search %d %d %s", max(ef, k), k, p.results)
	if err != nil {
		return Cost{}, err
	}
	b, err := os.ReadFile(p.results)
	if err != nil || len(b) != 4*len(out) {
		return Cost{}, fault.New(fault.Unavailable, "%s wrote %d bytes of results, want %d: %v", p.name, len(b), 4*len(out), err)
	}
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return Cost{Wall: seconds(f[0]), CPU: seconds(f[1])}, nil
}

// Close ends the process and waits for it.
func (p *process) Close() error {
	_ = p.in.Close() // ends its loop
	return fault.Wrap(fault.Internal, p.cmd.Wait(), "end %s", p.name)
}
