// Command terraform-provider-ostraka is the plugin that Terraform and OpenTofu start for source = "ostraka/ostraka".
//
// Only they start it, except with -version, which prints the version, and with -debug, which prints how to attach a
// Terraform run to a provider under a debugger.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/ostraka/terraform-provider-ostraka/provider"
)

// version is set by the linker in a release (-X main.version=...).
var version = "dev"

func main() {
	debug := flag.Bool("debug", false, "print how to attach Terraform to this process, for debuggers")
	show := flag.Bool("version", false, "print the version")
	flag.Parse()
	if *show {
		fmt.Println("terraform-provider-ostraka", version)
		return
	}
	settle()
	options := providerserver.ServeOpts{Address: provider.Address, Debug: *debug}
	if err := providerserver.Serve(context.Background(), provider.New(version), options); err != nil {
		fmt.Fprintln(os.Stderr, "terraform-provider-ostraka:", err)
		os.Exit(1)
	}
}
