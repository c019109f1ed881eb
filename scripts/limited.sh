#!/usr/bin/env bash
# Runs PROGRAM with the given arguments in a control group of its own that may use MIB of memory, pages of files included.
# "limited.sh check" says whether that can be done here; "limited.sh end" removes the group.
set -euo pipefail
group=ostraka-limited
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then # version 2
  dir=/sys/fs/cgroup/$group limit=memory.max
else
  dir=/sys/fs/cgroup/memory/$group limit=memory.limit_in_bytes
fi
make_group() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo +memory >/sys/fs/cgroup/cgroup.subtree_control || return 1; fi
  mkdir -p "$dir" && [ -w "$dir/$limit" ]
}
case "${1-}" in
check) make_group 2>/dev/null || { echo "it takes the right to make a control group with a memory limit below /sys/fs/cgroup (root, and not in a container that keeps it): skipped"; exit 1; } ;;
end) rmdir "$dir" 2>/dev/null || true ;;
*)
  make_group
  echo $((MIB << 20)) >"$dir/$limit"
  echo $$ >"$dir/cgroup.procs"
  exec "$PROGRAM" "$@"
  ;;
esac
