package session

import (
	"context"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// unfinishedKey marks, in the private part of a state, a change that ended before the cluster had made all of it.
const unfinishedKey = "unfinished"

// Private is the private part of a state, as the framework gives it.
type Private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// IsUnfinished reports whether the last change of a resource ended before the cluster had made all of it. Its state then shows
// what was reached, so that the next plan is not empty and its apply goes on waiting.
func IsUnfinished(ctx context.Context, p Private) bool {
	value, diags := p.GetKey(ctx, unfinishedKey)
	return !diags.HasError() && string(value) == "true"
}

// MarkUnfinished notes for IsUnfinished.
func MarkUnfinished(ctx context.Context, p Private, unfinished bool, diags *diag.Diagnostics) {
	if IsUnfinished(ctx, p) != unfinished {
		diags.Append(p.SetKey(ctx, unfinishedKey, []byte(strconv.FormatBool(unfinished)))...)
	}
}
