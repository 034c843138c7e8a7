#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fork_storm.sh - FORK_STORM (300) children of all kinds from sixteen threads, with all
# that can be profiled; each child's CPU time is in its own profiles, once
. "$(dirname "$0")/_life.sh"
export PYROSCOPE_PROFILE_TYPES=cpu,heap,mutex,block,threads,thread_creation
forks=${FORK_STORM:-300}
run_seconds=$((60 + forks / 5))

for how in linked preloaded; do
	run $how "$programs/fork_storm" "$forks"
	cp out all
	grep -v ^CHILD all >out
	succeeded "$forks children, $how" -
	PYTHONPATH=$here/.. python3 "$here/_storm_sums.py" all drop >sums 2>&1
	is "$forks children, $how: their CPU time" "" "$(head -n -1 sums)"
	tail -1 sums
	[ -z "${FORK_STORM:-}" ] || break
done
finish
