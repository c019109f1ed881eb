#!/usr/bin/env bash
# go test, with the arguments given, of the packages on standard input, one a line. What draws its cases draws those of SEED (1), so that
# whoever tests a commit tests the same; make properties looks at others.
set -euo pipefail
declare -A draws
while read -r package; do draws[$package]=1; done < <("${0%/*}/properties.sh")
plain=() properties=()
while read -r package; do
  if [ -n "${draws[$package]:-}" ]; then properties+=("$package"); else plain+=("$package"); fi
done
status=0
[ ${#plain[@]} = 0 ] || go test "$@" "${plain[@]}" || status=1
[ ${#properties[@]} = 0 ] || go test "$@" "${properties[@]}" -rapid.seed="${SEED:-1}" || status=1
exit "$status"
