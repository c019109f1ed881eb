#!/usr/bin/env bash
# The quickstart by itself: starts three nodes on loopback, applies main.tf, fills and searches a collection, shows
# that a second plan is empty, changes the collection in place, and destroys everything. Fails loudly if a step
# does not show what it should. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/cli.sh
[ -n "$TF" ] || { say_how_to_get_one; exit 1; }
PORT="${DEMO_PORT:-16333}"
WORK="$(mktemp -d)"
NODES=""
cleanup() {
  status=$?
  [ -z "$NODES" ] || { kill -INT "$NODES" 2>/dev/null && wait "$NODES" 2>/dev/null; } || true
  [ "$status" = 0 ] || { echo; echo "demo: failed. The nodes said:"; tail -n 40 "$WORK/nodes.log" 2>/dev/null; }
  rm -rf "$WORK"
  exit "$status"
}
trap cleanup EXIT
step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
die() { echo "demo: $*" >&2; exit 1; }
A="127.0.0.1:$((PORT + 1))" B="127.0.0.1:$((PORT + 11))" C="127.0.0.1:$((PORT + 21))"
ostraka() { bin/ostraka "$@"; }
tf() { (cd "$WORK/quickstart" && "$TF" "$@"); }

step "1. Three nodes on loopback: $A, $B, $C"
bin/ostraka dev --nodes 3 --data-dir "$WORK/data" --base-port "$PORT" >"$WORK/nodes.log" 2>&1 &
NODES=$!
for _ in $(seq 150); do
  ostraka status --endpoint "$A" >"$WORK/status.txt" 2>&1 && grep -q '3 of 3 peers alive' "$WORK/status.txt" && break
  kill -0 "$NODES" 2>/dev/null || die "the nodes did not start"
  sleep 0.2
done
cat "$WORK/status.txt"
grep -q '3 of 3 peers alive' "$WORK/status.txt" || die "the three nodes did not find each other"

step "2. $(basename "$TF") init and apply: the collections of examples/quickstart/main.tf"
mkdir "$WORK/quickstart" && cp examples/quickstart/*.tf "$WORK/quickstart/"
cat >"$WORK/cli.tfrc" <<X
provider_installation {
  filesystem_mirror {
    path    = "$PWD/bin/mirror"
    include = ["registry.terraform.io/ostraka/ostraka", "registry.opentofu.org/ostraka/ostraka"]
  }
}
X
export TF_CLI_CONFIG_FILE="$WORK/cli.tfrc" TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1 OSTRAKA_ENDPOINTS="$A,$B,$C"
tf init -input=false >"$WORK/init.log" || { cat "$WORK/init.log"; die "init failed"; }
tf apply -input=false -auto-approve

step "3. Real data: 6,000 English words as GloVe vectors"
ostraka load --endpoint "$A" --collection words examples/quickstart/words-6k.jsonl.gz

step "4. Which words are near \"king\"? Asked of another node than the one that took the data"
ostraka query --endpoint "$B" --collection words --where word=king --limit 5 | tee "$WORK/king.txt"
grep -qwE 'queen|prince|kings' "$WORK/king.txt" || die "king did not find its neighbours"

step "5. Where everything is: declared and actual"
ostraka status --endpoint "$C" | tee "$WORK/status.txt"
grep -q big_docs "$WORK/status.txt" || die "big_docs is not in the status"

step "6. A second plan is empty"
tf plan -input=false -detailed-exitcode >"$WORK/plan.txt" || { cat "$WORK/plan.txt"; die "the second plan is not empty"; }
grep 'No changes' "$WORK/plan.txt"

step "7. A change in HCL, made in place: big_docs from strong to quorum writes, and a third copy"
tf apply -input=false -auto-approve -var big_docs_copies=3 -var big_docs_writes=quorum | tee "$WORK/change.txt"
grep -q '0 added, 1 changed, 0 destroyed' "$WORK/change.txt" || die "the change was not made in place"
ostraka status --endpoint "$A" -o json >"$WORK/status.json"
tf plan -input=false -detailed-exitcode -var big_docs_copies=3 -var big_docs_writes=quorum >"$WORK/plan.txt" || { cat "$WORK/plan.txt"; die "the plan after the change is not empty"; }
echo "Done, and the plan is empty again."

step "8. destroy"
tf destroy -input=false -auto-approve >"$WORK/destroy.txt" || { cat "$WORK/destroy.txt"; die "destroy failed"; }
grep 'Destroy complete' "$WORK/destroy.txt"
echo
echo "That was all. Your own: bin/ostraka dev, then examples/quickstart/main.tf as a start."
