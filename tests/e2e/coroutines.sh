#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# coroutines.sh - stacks of ucontext's and boost.context's coroutines are whole,
# wherever their memory is from and whether or not the library was told of it; a
# frame pointer that is garbage cuts a stack short, which is said, or is not used
. "$(dirname "$0")/_life.sh"

for how in linked preloaded; do
	run $how "$programs/coroutines"
	succeeded "coroutines, $how"
	for maker in context boost; do
		for memory in mapped malloced; do
			for told in "" _told; do
				has_samples "whole stacks, $how" 100 \
					"${maker}_$memory$told"
			done
		done
	done
	is "stacks cut on the way to the coroutine's function, $how" 0 \
		"$(profile "mixed('deeper', '[truncated')" drop/*[0-9].pb.gz 2>&1)"
	is "stacks without the coroutine's function, $how" 0 \
		"$(profile "without('run_turns', 'deeper')" drop/*[0-9].pb.gz 2>&1)"
	has_samples "frame pointers astray, $how" 20 burn_with_fp
done
finish
