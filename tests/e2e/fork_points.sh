#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fork_points.sh - fork while a thread stands in the middle of the library's work: with
# each of its locks, in handlers and hooks, in a start, a stop, the collector's round,
# an upload, a listener's start and end, and while the loader's list is read. Children
# and parent go on
. "$(dirname "$0")/_life.sh"
[ "$(uname -m)" = x86_64 ] || exit 0
source=${SOURCE_DIR:?}/src

## A lock has a rank of its own, and all of them are tried below
ranks=($(sed -n '/^enum pyro_rank/,/COUNT/s/^\tPYRO_RANK_\([A-Z]*\),.*/\1/p' \
	"$source/base/sync.h"))
is "ranks of locks, each of one lock" "$(printf '%s\n' "${ranks[@]}" | sort |
	xargs)" "$(grep -rhoE '(MUTEX_INIT\(|rank = )PYRO_RANK_[A-Z]+' "$source" |
	sed 's/.*RANK_//' | sort | xargs)"

functions="
	pyro_session_run pyro_config_load pyro_cpu_start
	pyro_session_end pyro_cpu_stop pyro_stacks_free pyro_uploader_halt
	pyro_modules_refresh copy_load pyro_bind_refresh pyro_cpu_scan
	pyro_collector_sweep pyro_cpu_window_end pyro_threads_window_take
	pyro_pprof_write_limited pyro_uploader_push
	pyro_http_post pyro_taps_add
	listener_main pyro_httpd_run pyro_httpd_stop
	pyro_cpu_on_tick pyro_slots_commit
	pyro_here_commit pyro_live_add pyro_live_remove
	pyro_lock_begin pyro_lock_end pyro_wait_blocked pyro_wait_caused
	tell_birth register_self pyro_registry_claim pyro_registry_release
	pyro_labels_with"

# offset FUNCTION: where it is in the library
offset()
{
	awk -v name="$1" '$3 == name && tolower($2) == "t" { print $1 }' symbols
}
nm "$library" >symbols

points=()
for i in "${!ranks[@]}"; do
	points+=("the lock of ${ranks[$i]}=#$i")
done
for name in $functions; do
	at=$(offset "$name")
	[ "$(echo "$at" | wc -w)" = 1 ] || fail "no place $name, or several"
	points+=("$name=$at")
done
export PYROSCOPE_LOG_LEVEL=debug PYROSCOPE_UPLOAD_INTERVAL=1s
export PYROSCOPE_SAMPLE_RATE=100
export PYROSCOPE_PROFILE_TYPES=cpu,heap,mutex,block,threads,thread_creation
timeout -s KILL 280 "$programs/fork_points" "$(offset pyro_mutex_unlock)" \
	"${points[@]}" >out 2>err
rc=$?
succeeded "${#points[@]} places, 7 children each" -
finish
