package kv

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// bridge gives Pebble's log lines to hclog. What it says at Info matters only to its developers, so that goes one level
// down. What it calls fatal is a write of which nobody knows how much is on the disk: it ends the volume, not the process.
type bridge struct {
	log    hclog.Logger
	volume *volume
}

// Infof notes a detail.
func (b bridge) Infof(f string, a ...any) {
	if b.log.IsDebug() {
		b.log.Debug("pebble", "text", line(f, a))
	}
}

// Errorf notes a problem.
func (b bridge) Errorf(f string, a ...any) { b.log.Error("pebble", "text", line(f, a)) }

// Fatalf fails the volume. Pebble expects it not to return and goes on as if nothing had happened where it does; nothing that
// it does then reaches the disk, and the committer looks at the volume after each commit.
func (b bridge) Fatalf(f string, a ...any) {
	b.log.Error("pebble", "text", line(f, a))
	b.volume.fail(fmt.Errorf("%s", line(f, a)))
}

func line(format string, args []any) string { return strings.TrimSpace(fmt.Sprintf(format, args...)) }
