#!/usr/bin/env bash
# Makes the provider's pages in docs/ from its schema, templates/ and examples/. Needs Go and nothing else: the schema
# comes from the source, so the pages are the same whichever command line is installed, or none. docs/design is left
# alone: tfplugindocs cleans its own folders only.
set -euo pipefail
cd "$(dirname "$0")/../.."
version="${TFPLUGINDOCS:-v0.25.0}"
tool="$PWD/bin/tfplugindocs-$version"
if [ ! -x "$tool" ]; then
  GOBIN="$PWD/bin/tools" go install "github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs@$version"
  mv bin/tools/tfplugindocs "$tool"
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
go run ./provider/cmd/schemajson >"$work/schema.json"
names=(--provider-name ostraka --providers-schema "$work/schema.json")
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; }
quietly "$tool" generate "${names[@]}" --rendered-provider-name Ostraka
quietly "$tool" validate "${names[@]}"
