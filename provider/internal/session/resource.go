package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
)

// Online reports whether there is a cluster to ask; there is none while the provider's configuration is unknown.
func (d *Data) Online() bool { return d != nil && d.Client != nil }

// Ready is Online with an error: without a client nothing can be applied.
func (d *Data) Ready(diags *diag.Diagnostics) bool {
	if d.Online() {
		return true
	}
	diags.AddError("The provider is not configured", "Its endpoints, key or TLS files are not known, so the cluster cannot be asked. "+
		"They must be known when ostraka resources are applied.")
	return false
}

// Identify sets a resource's identity. Every operation that leaves the resource in being must, and Read also when it does
// not. A command line that knows no identities sends none to set.
func Identify(ctx context.Context, target *tfsdk.ResourceIdentity, identity any, diags *diag.Diagnostics) {
	if target != nil {
		diags.Append(target.Set(ctx, identity)...)
	}
}

// Exists is the error of a creation that found its object there: how to import that. There says what is there.
func Exists(typeName, there, id string, at path.Path, cause error, diags *diag.Diagnostics) {
	text := fmt.Sprintf("%s that Terraform does not manage. To manage it, import it:\n\n    terraform import %s.RESOURCE %s\n\n"+
		"or, with an import block:\n\n    import {\n      to = %s.RESOURCE\n      id = %q\n    }", there, typeName, shellQuote(id), typeName, id)
	if cause != nil {
		text += "\n\nThe cluster said: " + cause.Error()
	}
	noun := strings.ReplaceAll(strings.TrimPrefix(typeName, "ostraka_"), "_", " ")
	diags.AddAttributeError(at, strings.ToUpper(noun[:1])+noun[1:]+" exists already", text)
}

// shellQuote makes text one word of a POSIX shell.
func shellQuote(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// Readable reports whether there is a cluster to ask for a data source. While the provider's configuration is unknown,
// reading waits for the apply if the command line can do that.
func (d *Data) Readable(req datasource.ReadRequest, resp *datasource.ReadResponse) bool {
	switch {
	case d.Online():
		return true
	case req.ClientCapabilities.DeferralAllowed:
		resp.Deferred = &datasource.Deferred{Reason: datasource.DeferredReasonProviderConfigUnknown}
	default:
		resp.Diagnostics.AddError("The provider is not configured", "Its endpoints, key or TLS files are not known yet, so the cluster cannot be "+
			"asked. Give the data source a depends_on on what they come from: it is then read during the apply.")
	}
	return false
}
