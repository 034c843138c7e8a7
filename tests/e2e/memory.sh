#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# memory.sh - the library's memory has a limit, near which sums stay right; where the
# system gives none, the program runs on and so does profiling
. "$(dirname "$0")/_life.sh"

counted()
{
	sed -n "s/^$1=//p" out
}

## No two stacks are the same, and one profile would take some more MiB
export PYROSCOPE_UPLOAD_INTERVAL=60s PYROSCOPE_PROFILE_TYPES=cpu
run linked env PYROSCOPE_MEMORY_MIB=8 PYROSCOPE_STACK_DEPTH=512 \
	"$programs/memory" stacks 5 8
succeeded "8 MiB for endless stacks"
[ "$(counted overflow)" -gt 500 ] || fail "no overflow: $(cat out)"
is "stacks that are not kept" "$(profile "root('[overflow]')" drop/*[0-9].pb.gz)" \
	"$(counted overflow)"
is "all samples" "$(profile "ticks() + root('[overflow]')" drop/*[0-9].pb.gz)" "$(counted samples)"

run linked env PYROSCOPE_MEMORY_MIB=7 "$programs/harm" plain 0.2
succeeded "7 MiB are no setting" 1
grep -q MEMORY_MIB err || fail "the line: $(cat err)"

## What a child has of its parents is not its own
run linked env PYROSCOPE_MEMORY_MIB=8 PYROSCOPE_PROFILE_TYPES= \
	"$programs/memory" children 0.4
succeeded "8 MiB for each of some generations"

## The system refuses, at any place
export PYROSCOPE_PROFILE_TYPES= PYROSCOPE_UPLOAD_INTERVAL=1s
run linked "$programs/memory" squeeze 6
succeeded "no memory now and then" -
[ "$(wc -l <err)" -le 3 ] || fail "lines: $(cat err)"
finish
