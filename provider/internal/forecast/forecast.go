// Package forecast says in a Terraform plan what the cluster foresees of a change: what it finds, and what it costs.
//
// It owns the words. What was asked, and which findings may fail a plan, the resources decide.
package forecast

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/ostraka/terraform-provider-ostraka/client"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/session"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/wait"
)

// Findings is what a plan has to say of something.
type Findings struct {
	Session *session.Data
	Subject string                    // what the change is of; a warning about it is given once
	Fails   func(client.Finding) bool // whether an error may fail the plan, if plans are to fail at all
	Silent  func(client.Finding) bool // nil: none is
	At      func(field string) string // the attribute of a field, "" if it is about none; nil: they have the same name
}

// Say passes on what the cluster has found. An error is one only if plans are to fail because of it.
func (fs Findings) Say(p *client.Plan, diags *diag.Diagnostics) {
	for _, f := range p.Findings {
		attribute := f.Field
		if fs.At != nil {
			attribute = fs.At(f.Field)
		}
		switch {
		case f.Severity == client.SeverityInfo, fs.Silent != nil && fs.Silent(f):
		case f.Severity == client.SeverityError && fs.Session.Checks == session.Error && fs.Fails(f):
			addAt(attribute, diags.AddAttributeError, diags.AddError, summaryOf(f),
				f.Text+". To let such a plan pass with a warning, set plan_checks = \"warn\" in the provider block.")
		case fs.Session.First("finding "+f.Code, fs.Subject+"\x00"+f.Text):
			addAt(attribute, diags.AddAttributeWarning, diags.AddWarning, summaryOf(f), f.Text)
		}
	}
}

func addAt(attribute string, at func(path.Path, string, string), plain func(string, string), summary, text string) {
	if attribute == "" {
		plain(summary, text)
		return
	}
	at(path.Root(attribute), summary, text)
}

// summaryOf turns a code such as replicas_exceed_peers into a headline.
func summaryOf(f client.Finding) string {
	words := strings.ReplaceAll(f.Code, "_", " ")
	if words == "" {
		return "The cluster objects"
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// Cost says how much moves, and how long that takes.
func Cost(p *client.Plan) string {
	n := len(p.Steps) + int(p.LeftOut)
	steps := fmt.Sprintf("%d steps", n)
	if n == 1 {
		steps = "one step"
	}
	switch {
	case n == 0:
		return "Nothing moves."
	case p.Bytes == 0:
		return fmt.Sprintf("That takes %s, and next to nothing moves between peers.", steps)
	case p.Duration == 0:
		return fmt.Sprintf("That takes %s; about %s move between peers.", steps, wait.Bytes(p.Bytes))
	}
	return fmt.Sprintf("That takes %s; about %s move between peers, in about %s at the cluster's limits.", steps, wait.Bytes(p.Bytes),
		p.Duration.Round(time.Second))
}
