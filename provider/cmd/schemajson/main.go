// Command schemajson prints the provider's schemas as `terraform providers schema -json` would, from this very source and
// without a command line. Documentation made from it needs nothing but Go and shows every kind of object, whatever the
// age of an installed Terraform.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/ostraka/terraform-provider-ostraka/provider"
	"github.com/ostraka/terraform-provider-ostraka/provider/internal/schemadump"
)

func main() {
	server := providerserver.NewProtocol6(provider.New("dev")())()
	schemas, err := schemadump.Dump(context.Background(), server, "ostraka")
	if err == nil {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(schemas)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "schemajson:", err)
		os.Exit(1)
	}
}
