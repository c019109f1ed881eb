#!/usr/bin/env bash
# Runs every test that a change must pass, and ends by listing what was skipped and why.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/cli.sh
if [ -n "$TF" ]; then
  export TF_ACC=1 TF_ACC_TERRAFORM_PATH="$TF" CHECKPOINT_DISABLE=1
  case "$(basename "$TF")" in tofu*) export TF_ACC_PROVIDER_HOST=registry.opentofu.org ;; esac
  echo "Acceptance tests run with $TF."
else
  unset TF_ACC
  say_how_to_get_one
  echo "Everything that needs no such program runs now."
fi
go build -o bin/testreport ./internal/cmd/testreport
# Packages whose tests run nodes in real time come last, one at a time: beside others on a small machine their nodes would miss heartbeats.
alone='/(provider|node/integration|node/internal/server)$'
{
  go list ./... | grep -vE "$alone" | scripts/gotest.sh -json "$@" || status=1
  go list ./... | grep -E "$alone" | scripts/gotest.sh -json -p 1 "$@" || status=1
  exit "${status:-0}"
} | bin/testreport
