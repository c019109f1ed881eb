//go:build chaos

package chaos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ours begins the name of everything that this test makes outside of its temporary directory; the id of its process
// follows, so that a later run can tell what a dead one left behind.
const ours = "ostraka-chaos-"

// namespace is a network namespace. A nil one is the network that the test itself stands in.
type namespace struct {
	name string
}

// path is where iproute2 keeps a namespace open.
func (n *namespace) path() string { return filepath.Join("/run/netns", n.name) }

// enter calls f on a thread that stands in the namespace: sockets that f makes and processes that it starts belong there.
func (n *namespace) enter(f func() error) error {
	if n == nil {
		return f()
	}
	there, err := os.Open(n.path())
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	back, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer back.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter %s: %w", n.name, err)
	}
	err = f()
	if back := unix.Setns(int(back.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(fmt.Sprintf("a thread cannot leave %s: %v", n.name, back)) // no other goroutine may ever run on it
	}
	runtime.UnlockOSThread()
	return err
}

// dial connects to an address, given as numbers, from the cluster's side of the namespace: from the one that holds
// the bridge if n is a node's.
func (n *namespace) dial(ctx context.Context, addr string) (conn net.Conn, err error) {
	err = n.hub().enter(func() error {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		return err
	})
	return conn, err
}

// hub is the namespace in which the clients and the bridge are.
func (n *namespace) hub() *namespace {
	if n == nil {
		return nil
	}
	return &namespace{n.name[:strings.LastIndexByte(n.name, '-')] + "-hub"}
}

// sweep removes the namespaces and mounts of runs whose process is gone. Those of other runs that live stay.
func sweep(ctx context.Context) error {
	var errs []error
	spaces, err := filepath.Glob("/run/netns/" + ours + "*")
	errs = append(errs, err)
	for _, s := range spaces {
		if leftover(filepath.Base(s)) {
			errs = append(errs, run(ctx, "", "ip", "netns", "del", filepath.Base(s)))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	errs = append(errs, err)
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0] != "" && leftover(fields[0]) {
			errs = append(errs, syscall.Unmount(fields[1], syscall.MNT_DETACH))
		}
	}
	return errors.Join(errs...)
}

// leftover reports whether a name is of a run of this test whose process is gone.
func leftover(name string) bool {
	rest, is := strings.CutPrefix(name, ours)
	if !is {
		return false
	}
	digits, _, _ := strings.Cut(rest, "-")
	pid, err := strconv.Atoi(digits)
	return err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// run runs a program with an input and makes what it said on failure part of the error.
func run(ctx context.Context, input, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(input)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
