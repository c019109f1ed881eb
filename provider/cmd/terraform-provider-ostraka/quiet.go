package main

import (
	"os"
	"runtime/debug"
	"strings"
)

// garbage is how much the heap may grow between two collections of garbage, in percent. A provider lives for one command, and its
// heap is small: with Go's default a plan of many resources spends a fifth of its time collecting it.
const garbage = 400

// settle lets the provider do only what somebody will see. The framework logs every step of every request to Terraform at the level TRACE,
// which Terraform parses and drops unless it is to log: two fifths of the time of a plan of many resources.
func settle() {
	if unheard(os.Environ()) {
		_ = os.Setenv("TF_LOG_SDK", "OFF") // fails for malformed names only
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}

// unheard reports whether nobody has asked for logs: Terraform hands its own environment on, and each variable that is about logs begins
// alike.
func unheard(environment []string) bool {
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "TF_LOG") && value != "" {
			return false
		}
	}
	return true
}
