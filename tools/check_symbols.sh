#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_symbols.sh BUILD - what the signal-safe objects need from elsewhere
#
# Every undefined symbol of the objects of signal_safe.txt must be defined by
# one of them or stand in signal_safe.allow: what is not there may allocate,
# lock, or not be resolved yet when a signal comes.
set -euo pipefail
build=$1
tools=$(dirname "$0")

objects=()
while read -r source; do
	layer=$(basename "$(dirname "$source")")
	object=$build/CMakeFiles/pyro_$layer.dir/$source.o
	[ -e "$object" ] || {
		echo "$source: no object $object" >&2
		exit 1
	}
	objects+=("$object")
done < <(grep '^src/' "$tools/signal_safe.txt")
[ ${#objects[@]} -gt 0 ]

allowed=$(
	grep -v '^#' "$tools/signal_safe.allow"
	nm --defined-only "${objects[@]}" | awk 'NF == 3 { print $3 }'
)
status=0
for object in "${objects[@]}"; do
	bad=$(nm --undefined-only "$object" | awk '{ print $NF }' |
		grep -vxFf <(printf '%s\n' "$allowed")) || true
	if [ -n "$bad" ]; then
		echo "$object may not use:" $bad >&2
		status=1
	fi
	# Relaxation can hide it from nm's list: no general dynamic TLS.
	if readelf -rW "$object" | grep -E 'R_X86_64_TLS(GD|LD|DESC)' >&2; then
		echo "$object: thread-local storage that may allocate" >&2
		status=1
	fi
done
exit $status
