#!/usr/bin/env bash
# Lists the packages whose tests draw their cases.
set -euo pipefail
imports='{{$p := .ImportPath}}{{range .TestImports}}{{$p}} {{.}}{{"\n"}}{{end}}{{range .XTestImports}}{{$p}} {{.}}{{"\n"}}{{end}}'
go list -f "$imports" ./... | awk '$2 == "pgregory.net/rapid" && !seen[$1]++ { print $1 }'
