#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# forks.sh - children of a sampled program: those of fork are profiled when they
# live on, in files of their own; those of vfork and the like notice nothing
. "$(dirname "$0")/_life.sh"

forks=$programs/forks

# files_with FUNCTION: how many files have ticks of it
files_with()
{
	local count=0 file
	for file in drop/*[0-9].pb.gz; do
		[ "$(profile "ticks('$1') > 0" "$file" 2>/dev/null)" = True ] &&
			count=$((count + 1))
	done
	echo $count
}

for how in linked preloaded; do
	run $how "$forks" spawn
	succeeded "vfork, posix_spawn, system, popen, $how"
	has_samples "vfork, posix_spawn, system, popen, $how" 100 in_parent

	for kind in fork _Fork clone; do
		run $how "$forks" $kind
		succeeded "children of $kind, $how"
		# Their first 150 ms wait in the slots: fork runs our handler.
		[ $kind != fork ] ||
			has_samples "what children did while young, $how" \
				100 in_child
		is "children of $kind, $how: files of their own" 3 \
			"$(files_with in_late_child)"
		is "children of $kind, $how: files of the parent" 1 \
			"$(files_with in_parent)"
		is "children of $kind, $how: incomplete stacks" 0 \
			"$(profile "incomplete() * 100 // ticks()" \
				drop/*[0-9].pb.gz 2>&1)"
	done
	run $how "$forks" handler
	succeeded "a child's handler calls read, $how"
	run $how "$forks" early-handler
	succeeded "an early child's handler calls read, $how"
	run $how "$forks" early-thread
	succeeded "an early child's thread, $how" -

	run $how "$forks" fork-child
	succeeded "pyroscope_fork_child, $how"
	is "pyroscope_fork_child, $how: files" 3 "$(files_with in_late_child)"

	run $how "$forks" fork-child-in-vain
	succeeded "no thread for a child, $how" -
	is "no thread for a child, then one, $how: files" 1 \
		"$(files_with in_late_child)"
	is "no thread for a child, $how: time that was" True \
		"$(profile "all(0 < p.duration_ns < 60e9 for p in profiles)" \
			drop/*[0-9].pb.gz)"

	run $how "$forks" calls
	succeeded "public calls in a child, $how" -

	run $how "$forks" generations
	succeeded "children of children, $how"
	has_samples "children of children, $how" 20 in_late_child

	run $how "$forks" daemon
	succeeded "a daemon, $how"
	for _ in $(seq 100); do
		[ "$(files_with in_late_child)" = 0 ] || break
		sleep 0.1
	done
	has_samples "a daemon, $how" 100 in_late_child
done
finish
