package kv

import (
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// bridge gives Badger's log lines to hclog. Badger says at Info what matters only to its developers, so that goes one
// level down.
type bridge struct{ log hclog.Logger }

func (b bridge) Errorf(f string, a ...any)   { b.log.Error("badger", "text", line(f, a)) }
func (b bridge) Warningf(f string, a ...any) { b.log.Warn("badger", "text", line(f, a)) }

func (b bridge) Infof(f string, a ...any) {
	if b.log.IsDebug() {
		b.log.Debug("badger", "text", line(f, a))
	}
}

func (b bridge) Debugf(f string, a ...any) {
	if b.log.IsTrace() {
		b.log.Trace("badger", "text", line(f, a))
	}
}

func line(format string, args []any) string { return strings.TrimSpace(fmt.Sprintf(format, args...)) }
