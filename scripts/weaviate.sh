#!/usr/bin/env bash
# Builds Weaviate's server from its Go module, for `make bench-wire`, into the directory given. Takes several minutes.
set -euo pipefail
version=$1 dir=$2
[ -x "$dir/weaviate-$version" ] && exit 0
command -v go >/dev/null || { echo "weaviate: no go"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > go.mod <<MOD
module scratch

go 1.26
MOD
cat > tools.go <<'GO'
//go:build tools

package scratch

import _ "github.com/weaviate/weaviate/cmd/weaviate-server"
GO
go get "github.com/weaviate/weaviate@$version" && go mod tidy
mkdir -p "$dir"
CGO_ENABLED=0 go build -o "$dir/weaviate-$version" github.com/weaviate/weaviate/cmd/weaviate-server
